// How a server can write a secret: the forms in which it comes back, and the traces by which a reader would know it. Made
// here once more, without a line of what masks them.

/** The text that a hostile server says, for each form. */
export const FORMS: Readonly<Record<string, (secret: string) => string>> = {
  plain: (secret) => `wrong password ${secret}`,
  quoted: (secret) => `you said "${secret}".`,
  capitals: (secret) => `UNKNOWN COMMAND PASS ${secret.toUpperCase()}`,
  base64: (secret) => `what is ${Buffer.from(secret).toString('base64')}`,
  'base64 of AUTH PLAIN': (secret) => `what is ${Buffer.from(`\0user\0${secret}`).toString('base64')}`,
  'base64 one byte later': (secret) => `what is ${Buffer.from(`x${secret}y`).toString('base64')}`,
  base64url: (secret) => `what is ${Buffer.from(`xy${secret}?>`).toString('base64url')}`,
  hexadecimal: (secret) => `what is ${Buffer.from(secret).toString('hex')}`,
  percent: (secret) => `what is ${percent(secret).toUpperCase()}`,
  'percent in small letters': (secret) => `what is ${percent(secret).toLowerCase()}`,
  'quoted-printable': (secret) => `what is ${percent(secret).replaceAll('%', '=').toUpperCase()}`,
  JSON: (secret) => `what is ${[...secret].map((c) => `\\u${hex(c, 4)}`).join('')}`,
  HTML: (secret) => `what is ${[...secret].map((c) => `&#x${hex(c, 2)};`).join('')}`,
  'soft hyphens': (secret) => `what is ${[...secret].join('\u00ad')}`,
  'zero width': (secret) => `what is ${[...secret].join('\u200b')}`,
  'at the end of a long text': (secret) => `${'no '.repeat(62)}no no no ${secret} ${'no '.repeat(50)}`,
  'base64 at the end of a long text': (secret) =>
    `${'no '.repeat(60)}${Buffer.from(secret).toString('base64')} ${'no '.repeat(50)}`,
}

function hex(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0')
}

function percent(secret: string): string {
  return [...Buffer.from(secret)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Every trace of the secret in `text`, each by its form; a third of it in one place is one, too. */
export function tracesIn(text: string, secret: string): readonly string[] {
  const bare = text.replaceAll(/(?:[\u00ad\u200b]|\\xad|\\u\{(?:ad|200b)\}|\\u(?:00ad|200b))/gi, '').toLowerCase()
  const piece = secret.slice(0, Math.max(6, Math.floor(secret.length / 3)))
  return Object.entries(PIECES)
    .filter(([, make]) => make(piece, secret).some((form) => bare.includes(form.toLowerCase())))
    .map(([name]) => name)
}

/** Forms of a piece, in small letters where case tells nothing. */
const PIECES: Readonly<Record<string, (piece: string, secret: string) => readonly string[]>> = {
  plain: (piece) => [piece],
  base64: (piece) =>
    [0, 1, 2].map((before) => {
      const digits = Buffer.concat([Buffer.alloc(before), Buffer.from(piece)]).toString('base64')
      return digits.slice(Math.ceil((before * 8) / 6), Math.floor(((before + piece.length) * 8) / 6))
    }),
  hexadecimal: (piece) => [Buffer.from(piece).toString('hex')],
  percent: (piece) => [percent(piece)],
  'quoted-printable': (piece) => [percent(piece).replaceAll('%', '=')],
  JSON: (piece) => [
    [...piece].map((c) => `\\u${hex(c, 4)}`).join(''),
    [...piece].map((c) => `\\\\u${hex(c, 4)}`).join(''),
  ],
  HTML: (piece) => [[...piece].map((c) => `&#x${hex(c, 2)};`).join('')],
}
