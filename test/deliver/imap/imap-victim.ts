// Delivers SMALL to an IMAP server: imap-victim.ts PORT INTENT. It is killed from outside.
import { attempt, message, never, SMALL } from '../letters.ts'
import { imapAt } from './imap-settings.ts'

const [port = '', intent = ''] = process.argv.slice(2)
await using destination = imapAt(Number(port))
await destination.deliver({ ...attempt(), intent }, message(SMALL), never)
