// Delivers SMALL and dies at the n-th call that changes something: disk-victim.ts KIND ROOT N INTENT.
import { Reserve } from '../../src/deliver/disk/reserve.ts'
import { deadlyFileSystem } from '../support/deadly-filesystem.ts'
import { type DiskKind, diskKinds } from './disk-kinds.ts'
import { attempt, message, never, SMALL } from './letters.ts'

const [kind = '', root = '', fatal = '', intent = ''] = process.argv.slice(2)
const open = new Map<string, DiskKind>(Object.entries(diskKinds)).get(kind)
if (open === undefined) throw new Error(`there is no kind ${kind}`)

const fileSystem = deadlyFileSystem(Number(fatal))
const fileSystems = { offLoop: fileSystem, of: () => fileSystem }
await using destination = open({ root, fileSystems, reserve: new Reserve(), limitMs: null })
await destination.deliver({ ...attempt(), intent }, message(SMALL), never)
