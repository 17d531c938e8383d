// Makes the files of a release in a folder: the package, the list of what is in it (SBOM), and their SHA-256.
//   npm run release -- FOLDER
// From a clean checkout of the tag v<version>, with dependencies installed again from the lock file, after all offline tests.
// It publishes nothing: .github/CONTRIBUTING.md says how.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = resolve(process.argv[2] ?? 'release')
const run = (program, ...args) => execFileSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
const ask = (program, ...args) => execFileSync(program, args, { cwd: root, encoding: 'utf8' }).trim()

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
if (ask('git', 'status', '--porcelain') !== '') stop('the checkout has changes: commit them')
if (!ask('git', 'tag', '--points-at', 'HEAD').split('\n').includes(`v${version}`)) stop(`HEAD is not tagged v${version}`)
mkdirSync(folder, { recursive: true })
if (readdirSync(folder).length > 0) stop(`${folder} is not empty`)

run('npm', 'ci', '--no-audit', '--no-fund')
run('npm', 'test')
run('npm', 'run', 'build')
run('npm', 'pack', '--ignore-scripts', '--pack-destination', folder)
run(process.execPath, '.build/sbom.js', 'dist', join(folder, `popfetch-${version}.sbom.json`))
const sums = readdirSync(folder)
  .toSorted()
  .map((name) => `${createHash('sha256').update(readFileSync(join(folder, name))).digest('hex')}  ${name}\n`)
writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''))
process.stdout.write(sums.join(''))

function stop(why) {
  process.stderr.write(`no release: ${why}\n`)
  process.exit(1)
}
