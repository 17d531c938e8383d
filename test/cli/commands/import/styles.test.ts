// Configurations of old tools in the styles that people keep: each is imported with its record, and polled. What the old tool
// had fetched is neither fetched nor deleted. New mail comes once. Nothing leaves the server that the old file did not say.
import { readdir, readFile, stat } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'
import { fetchmailStyles } from './styles/fetchmail.ts'
import { getmailStyles } from './styles/getmail.ts'
import { mpopStyles } from './styles/mpop.ts'
import { thunderbirdStyles } from './styles/thunderbird.ts'
import type { Style } from './styles/style.ts'

const TOOLS = {
  fetchmail: {
    styles: fetchmailStyles,
    file: '.fetchmailrc',
    record: '.fetchids',
    text: 'alice@HOST u1\nalice@HOST u2\n',
  },
  getmail: {
    styles: getmailStyles,
    file: '.config/getmail/getmailrc',
    record: '.config/getmail/oldmail-HOST-PORT-alice',
    text: 'u1\u00001700000000\nu2\u00001700000000\n',
  },
  thunderbird: {
    styles: thunderbirdStyles,
    file: '.thunderbird/abc.default/prefs.js',
    record: '.thunderbird/abc.default/Mail/HOST/popstate.dat',
    text: '*HOST alice\nk u1 1700000000\nk u2 1700000000\n',
    // Thunderbird's own are encrypted.
    options: ['--password-file', 'pw'],
  },
  mpop: { styles: mpopStyles, file: '.mpoprc', record: '.mpop_uidls/alice_at_HOST', text: ' 2 HOST alice\nu1\nu2\n' },
} as const

describe.each(Object.entries(TOOLS))('%s', (tool, { styles, file, record, text, ...more }) => {
  const options = 'options' in more ? more.options : []

  test('has fifteen of them, each of another kind', () => {
    expect(new Set(styles.map(({ title }) => title)).size).toBe(15)
  })

  test.each(styles.map((style) => [style.title, style] as const))('%s', async (_, style) => {
    await using person = await Person.arrive()
    await using server = await Pop3Server.start()
    const mailbox = server.mailbox('alice', 'pw')
    for (const uidl of ['u1', 'u2', 'u3', 'u4']) mailbox.add(`Subject: about ${uidl}\r\n\r\nbody\r\n`, { uidl })
    const filled = (written: string): string =>
      written.replaceAll('HOST', server.host).replaceAll('PORT', String(server.port)).replaceAll('HOME', person.home)
    // $HOME is a variable of the person.
    const kept = (written: string): string => filled(written.replaceAll('$HOME', '\x01')).replaceAll('\x01', '$HOME')
    for (const [name, content] of Object.entries(style.files ?? {})) await person.write(name, kept(content))
    await person.write(file, kept(style.text))
    await person.write(kept(style.record?.file ?? record), kept(style.record?.text ?? text))

    expect(await person.run('import', tool, ...options), person.printed).toBe(0)
    expect(await person.run('config', 'check'), person.printed).toBe(0)
    for (const _poll of [1, 2]) {
      expect(await person.run('--yes', '--json'), person.printed).toBe(0)
      expect(await subjects(person, style)).toEqual(['u3', 'u4'])
    }
    expect(server.journal.of('retr')).toHaveLength(2)
    expect(mailbox.messages.map(({ uidl }) => uidl)).toEqual(style.deletes ? ['u1', 'u2'] : ['u1', 'u2', 'u3', 'u4'])
  })
})

async function subjects(person: Person, { mail }: Style): Promise<string[]> {
  const place = person.path(mail)
  const isFolder = (await stat(place)).isDirectory()
  const files = isFolder
    ? (await readdir(person.path(mail, 'new'))).map((name) => person.path(mail, 'new', name))
    : [place]
  const texts = await Promise.all(files.map((name) => readFile(name, 'utf8')))
  return texts
    .flatMap((text) => [...text.matchAll(/^Subject: about (u\d)\r?$/gm)].map(([, uidl = '']) => uidl))
    .toSorted()
}
