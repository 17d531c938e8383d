// Writes the list of what is in the package (CycloneDX): node .build/sbom.js DIST FILE. npm knows of all packages only that
// they are needed to build. Those whose code is in the bundle are in the file of licences, and only they are listed.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FILE } from './licences.js'

const root = join(import.meta.dirname, '..')
const [dist = 'dist', file = 'popfetch.sbom.json'] = process.argv.slice(2)

const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const licences = readFileSync(join(dist, FILE), 'utf8')
const bundled = new Set([...licences.matchAll(/^(\S+) (\d\S*) \(.*\)$/gm)].map(([, of, at]) => `${of}@${at}`))
const bom = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  }),
)
const { component } = bom.metadata
const components = bom.components
  .filter((each) => bundled.has(`${each.name}@${each.version}`))
  .map((each) => ({
    ...each,
    properties: each.properties.filter((property) => property.name !== 'cdx:npm:package:development'),
  }))
const listed = new Set(components.map((each) => `${each.name}@${each.version}`))
const missing = [...bundled].filter((each) => !listed.has(each))
if (missing.length > 0) throw new Error(`bundled, but unknown to npm: ${missing.join(', ')}`)
const refs = new Set([component['bom-ref'], ...components.map((each) => each['bom-ref'])])
const dependencies = bom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((of) => refs.has(of)) }))
const written = {
  ...bom,
  metadata: { ...bom.metadata, component: { ...component, type: 'application', name, version } },
  components,
  dependencies,
}
writeFileSync(file, `${JSON.stringify(written, null, 2)}\n`)
