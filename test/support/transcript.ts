// Replays a transcript, a text file of `C:` and `S:` lines, as a server: says the S lines, insists on the C lines. The format
// is described in test/transcripts/README.md; it is turned into the steps of a ScriptedServer here, and nothing else.
import type { CertificateKind } from './certificates.ts'
import { certificates } from './certificates.ts'
import { ScriptedServer, type Step } from './scripted-server.ts'

function isCertificate(name: string): name is CertificateKind {
  return Object.hasOwn(certificates, name)
}

/** `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN`; any other backslash is a mistake of whoever wrote it. */
function unescape(text: string, where: string): Buffer {
  const known = new Map([
    ['r', '\r'],
    ['n', '\n'],
    ['t', '\t'],
    ['0', '\0'],
    ['\\', '\\'],
  ])
  const plain = text.replace(/\\(?:x([0-9a-fA-F]{2})|(.?))/gs, (whole, hex?: string, letter?: string) => {
    const character = hex === undefined ? known.get(letter ?? '') : String.fromCharCode(Number.parseInt(hex, 16))
    if (character === undefined) throw new SyntaxError(`${where}: unknown escape ${whole}`)
    return character
  })
  return Buffer.from(plain, 'latin1')
}

function directive(text: string, where: string): Step {
  const [word = '', argument = ''] = text.trim().split(/\s+/)
  if (word === 'cut' && (argument === 'fin' || argument === 'rst' || argument === 'stall'))
    return { where, cut: argument }
  if (word === 'split' && /^\d+$/.test(argument)) return { where, split: Number(argument) }
  if (word === 'pause') return { where, pause: true }
  if (word === 'ignore') return { where, ignore: true }
  const certificate = argument === '' ? 'good' : argument
  if (word === 'tls' && isCertificate(certificate)) return { where, tls: certificate }
  throw new SyntaxError(`${where}: unknown directive !${text}`)
}

/** The lists of steps, one for each connection. Throws SyntaxError with the line's number. */
export function parseTranscript(text: string, name = 'transcript'): Step[][] {
  const connections: Step[][] = [[]]
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const where = `${name}:${index + 1}`
    const steps = connections.at(-1) ?? []
    const [, mark = '', rest = ''] = /^(C:|C~:|S:|S<:|!) ?(.*)$/s.exec(line) ?? []
    if (mark === 'C:') steps.push({ where, expect: Buffer.from(rest).toString('latin1') })
    else if (mark === 'C~:') steps.push({ where, expect: new RegExp(`^(?:${rest})$`) })
    else if (mark === 'S:') steps.push({ where, send: Buffer.from(`${rest}\r\n`) })
    else if (mark === 'S<:') steps.push({ where, send: unescape(rest, where) })
    else if (mark === '!' && rest.trim() === 'connection') connections.push([])
    else if (mark === '!') steps.push(directive(rest, where))
    else if (line.trim() !== '' && !line.startsWith('#'))
      throw new SyntaxError(`${where}: neither C: nor S: nor a directive`)
  }
  return connections
}

/** A server that plays the transcript. `done` rejects at the first line that is not as written. `split` sends everything in
 *  pieces of this many bytes, so that any transcript also shows that packets do not matter. */
export function playTranscript(
  text: string,
  options: { readonly name?: string; readonly split?: number } = {},
): Promise<ScriptedServer> {
  return ScriptedServer.start(parseTranscript(text, options.name), options)
}
