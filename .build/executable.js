// Makes one file of the program and of Node.js: `npm run package:sea -- FILE` (release/popfetch-linux-x64 …). It needs nothing on the
// machine where it runs but the C and C++ libraries that every distribution has. See Node's "Single executable applications".
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { inject } from 'postject'
import { rolldown } from 'rolldown'
import configuration, { plain } from '../.rolldown.config.js'

/** What Node looks for in itself to see that it has a program. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/** With a code cache there is no `import()`. */
const builtins = {
  name: 'builtins at first use',
  renderChunk: (code) =>
    code.replace(/\bimport\((["'])(node:[\w/]+)\1\)/g, 'Promise.resolve(process.getBuiltinModule("$2"))'),
}

const root = join(import.meta.dirname, '..')
const file = resolve(process.argv[2] ?? join(root, `release/popfetch-${process.platform}-${process.arch}`))
// Not a copy of the name: under node_modules/.bin it is a link.
const node = realpathSync(process.execPath)
const work = mkdtempSync(join(tmpdir(), 'popfetch-executable-'))

try {
  await bundle(join(work, 'popfetch.cjs'))
  const settings = {
    main: 'popfetch.cjs',
    output: 'popfetch.blob',
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
  }
  writeFileSync(join(work, 'settings.json'), JSON.stringify(settings))
  execFileSync(node, ['--experimental-sea-config', 'settings.json'], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const made = join(work, 'popfetch')
  copyFileSync(node, made)
  chmodSync(made, 0o755)
  strip(made)
  await put(made, readFileSync(join(work, 'popfetch.blob')))
  execFileSync(made, ['--version'], { stdio: ['ignore', 'ignore', 'inherit'] })
  mkdirSync(dirname(file), { recursive: true })
  // Whole or not at all, also where the temporary folder is on another disk.
  copyFileSync(made, `${file}.new`)
  renameSync(`${file}.new`, file)
  process.stdout.write(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB\n`)
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** One file without modules: what is loaded at first use elsewhere is evaluated at first use here. */
async function bundle(to) {
  const { platform, logLevel } = configuration
  const plugins = [
    ...configuration.plugins.filter(({ name }) => !['facades', 'scripts', 'start', 'licences', 'ascii'].includes(name)),
    builtins,
  ]
  // yargs asks for its own place where a configuration extends another, which ours never does.
  const onLog = (level, log, print) => log.code === 'EMPTY_IMPORT_META' || print(level, log)
  const build = await rolldown({ input: join(root, 'bin/popfetch.ts'), cwd: root, platform, logLevel, plugins, onLog })
  try {
    const { comments, minify } = configuration.output
    await build.write({ file: to, format: 'cjs', codeSplitting: false, comments, minify })
  } finally {
    await build.close()
  }
  writeFileSync(to, plain(readFileSync(to, 'utf8')))
}

async function put(program, blob) {
  const { warn } = console
  // It warns of the names of sections that strip has taken away.
  console.warn = () => {}
  try {
    await inject(program, 'NODE_SEA_BLOB', blob, { sentinelFuse: FUSE })
  } finally {
    console.warn = warn
  }
}

/** Of what only a debugger needs, a tenth of Node. Before the program is put in: afterwards it would be gone. */
function strip(program) {
  try {
    execFileSync('strip', [program], { stdio: 'ignore' })
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    process.stderr.write('strip is not installed (binutils): the executable is larger than it could be\n')
  }
}
