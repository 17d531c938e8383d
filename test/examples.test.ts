// What people copy from examples/ is right: configurations, the YAML and the commands of the pages, the container.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseText } from '../src/config/document.ts'
import { loadConfiguration } from '../src/config/load.ts'
import { EDITOR_LINE } from '../src/config/reference/json-schema.ts'
import { readArguments } from '../src/cli/arguments/read.ts'

const folder = path.join(import.meta.dirname, '../examples')
const named = (end: string): string[] => readdirSync(folder).filter((file) => file.endsWith(end))
const read = (file: string): string => readFileSync(path.join(folder, file), 'utf8')
const CONFIGURATIONS = [...named('.yaml'), 'container/config.yaml']
const PAGES = [...named('.md').map((page) => `../examples/${page}`), '../README.md', '../.github/CONTRIBUTING.md']

/** Loads it as a person would have it: private, in a folder of their own. */
async function load(write: (file: string) => void): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), 'popfetch-example-'))
  try {
    // A folder that a page includes.
    mkdirSync(path.join(directory, 'accounts.d'), { mode: 0o700 })
    write(path.join(directory, 'config.yaml'))
    const options = {
      file: 'config.yaml',
      state: null,
      env: { HOME: directory, POPFETCH_PER_HOST: '20' },
      cwd: directory,
      uid: process.getuid?.() ?? 0,
    }
    return (await loadConfiguration(options)).accounts.length
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe.each(CONFIGURATIONS)('examples/%s', (file) => {
  test('is a configuration that popfetch takes', async () => {
    expect(await load((place) => copyFileSync(path.join(folder, file), place))).toBeGreaterThan(0)
  })

  test('names the schema in its first line, for editors', () => {
    expect(read(file).split('\n', 1)).toEqual([EDITOR_LINE])
  })
})

/** What a piece of a configuration leaves out. */
const ACCOUNT = { host: 'pop.example.net', user: 'alice', password: { env: 'PW' }, deliver: 'inbox' }
const INBOX = { inbox: { type: 'maildir', path: '~/Mail' } }

describe.each(PAGES)('%s', (page) => {
  const text = read(page)
  const blocks = (language: string): string[] =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, block = '']) => block)

  test('has only configurations that popfetch takes', async () => {
    for (const block of blocks('yaml')) {
      const { root } = parseText(block)
      const pieces = root as Record<string, object>
      const whole =
        pieces['accounts'] === undefined ? { ...pieces, accounts: { a: ACCOUNT }, destinations: INBOX } : null
      const written = whole === null ? block : JSON.stringify(whole)
      expect(await load((place) => writeFileSync(place, written, { mode: 0o600 }))).toBeGreaterThan(0)
    }
  })

  test('has only commands that popfetch understands', async () => {
    // Also those within a line of text or of a configuration: `popfetch …`.
    const within = [...text.replace(/^```[^]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, line = '']) => line)
    const lines = [...blocks('sh').flatMap((block) => block.split('\n')), ...within]
    const commands = lines.flatMap((line) => /(?:^|docker exec popfetch )popfetch(?: .*)?$/.exec(line)?.[0] ?? [])
    for (const command of commands) {
      // What stands for something, and what a shell takes for itself.
      const plain = command
        .replace(/ +#.*$/, '')
        .replace(/ …$| \|.*$| > .*$/, '')
        .replace(/^docker exec popfetch /, '')
      const [, ...words] = plain.match(/'[^']*'|"[^"]*"|\S+/g) ?? []
      const argv = words.map((word) => word.replace(/^(['"])(.*)\1$/, '$2'))
      const understood = readArguments(argv, 80).then(
        ({ command: name }) => [command, name],
        (error: unknown) => [command, String(error)],
      )
      expect(await understood).toEqual([command, expect.not.stringContaining('Error')])
    }
  })

  test('links to pages that are there', () => {
    const links = [...text.matchAll(/\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]*))?\)/g)]
    const base = path.join(folder, path.dirname(page))
    for (const [, link = '', anchor] of links) {
      const file = path.join(base, link === '' ? path.basename(page) : link)
      if (link.endsWith('/')) expect(readdirSync(file)).not.toEqual([])
      else {
        const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
        const anchors = headings.map((heading) =>
          heading
            .toLowerCase()
            .replace(/[^\w -]/g, '')
            .replaceAll(' ', '-'),
        )
        if (anchor !== undefined) expect(anchors).toContain(anchor)
      }
    }
  })
})

test('the container gets every secret that its configuration names, and is asked by the names of its volumes (B19)', () => {
  const compose = parseText(read('container/compose.yaml')).root as {
    readonly services: { readonly popfetch: { readonly volumes: string[]; readonly secrets: string[] } }
    readonly secrets: Readonly<Record<string, { readonly file: string }>>
  }
  const secrets = [...read('container/config.yaml').matchAll(/\/run\/secrets\/([\w-]+)/g)].map(([, name]) => name)
  expect(secrets).toEqual(compose.services.popfetch.secrets)
  expect(Object.keys(compose.secrets)).toEqual(secrets)
  const mounted = compose.services.popfetch.volumes.map((volume) => volume.split(':')[1])
  expect(mounted).toEqual(['/state', '/mail', '/etc/popfetch'])
  const [run = ''] = /^docker run .*$/m.exec(read('containers.md')) ?? []
  for (const place of [...mounted, '/run/secrets']) expect(run).toContain(`:${place}`)
})
