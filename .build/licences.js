// A plugin for the bundler: collects the licence texts of all packages whose code is in the bundle into one file beside it.
// A package without a licence text stops the build.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const FILE = 'THIRD-PARTY-LICENSES'
const RULE = `\n${'-'.repeat(80)}\n\n`

export const licences = {
  name: 'licences',
  generateBundle(_, bundle) {
    const texts = [...foldersOf(bundle)].map(licenceOf)
    const unique = [...new Set(texts)].toSorted()
    this.emitFile({ type: 'asset', fileName: FILE, source: ['This program contains:\n', ...unique].join(RULE) })
  },
}

/** The folders of the packages from which a chunk has code. A module's ID may have a plugin's prefix before its path. */
function foldersOf(bundle) {
  const chunks = Object.values(bundle).filter(({ type }) => type === 'chunk')
  const folders = chunks.flatMap(({ modules }) =>
    Object.keys(modules).map((id) => /\/.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0]),
  )
  return new Set(folders.filter((folder) => folder !== undefined))
}

/** The last chapter of its README, where that is the licence with its notice; '' where it is not. */
function licenceInReadme(folder) {
  const [file] = readdirSync(folder).filter((name) => /^readme\.md$/i.test(name))
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').replaceAll('\r', '')
  const [, licence = ''] = /^#+ *licen[cs]e *\n([^#]*)$/im.exec(text.slice(text.lastIndexOf('\n#') + 1)) ?? []
  return licence.includes('Copyright (c)') && licence.includes('WITHOUT WARRANTY') ? licence.trim() : ''
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
  const texts = files.toSorted().map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim())
  if (texts.length === 0) texts.push(licenceInReadme(folder))
  if (texts.includes('')) throw new Error(`${name} has no file with its licence`)
  return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`
}
