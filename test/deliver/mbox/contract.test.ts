// An mbox keeps the contract of destinations, and the message of another program that is in it already.
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import { destinationContract } from '../contract.ts'
import { onDisk } from '../disk-place.ts'
import { asCrlf } from '../scene.ts'
import { lettersIn } from './letters-in.ts'

const OLD = 'From old Mon Jan  1 00:00:00 2026\n\nold\n\n'

destinationContract(
  onDisk('mbox', {
    prepare: (root) => fs.writeFileSync(path.join(root, 'in'), OLD, { mode: 0o600 }),
    messages(tree) {
      const text = tree.get('in')?.toString('latin1') ?? ''
      expect(text.slice(0, OLD.length)).toBe(OLD)
      return lettersIn(text.slice(OLD.length)).map((letter) => asCrlf(Buffer.from(letter, 'latin1')))
    },
    // A process that was killed while it made a lock leaves a file of its own, in which nobody takes an interest.
    leftovers: (tree) => [...tree.keys()].filter((file) => file !== 'in' && !/^in\.lock\.\d+\./.test(file)),
    restart(root) {
      const lock = path.join(root, 'in.lock')
      if (!fs.existsSync(lock)) return
      fs.writeFileSync(lock, fs.readFileSync(lock, 'latin1').replace(/^\d+/, String(2 ** 22 + 1)), 'latin1')
    },
  }),
)
