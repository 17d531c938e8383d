// Builds dist/: one small start file and chunks that are loaded at first use. Third-party code is bundled, because
// resolving and reading its many files was most of the start-up time (yargs 49 ms, zod 40 ms, yaml 19 ms).
import { globSync } from 'node:fs'
import * as promised from 'node:fs/promises'
import { basename, relative } from 'node:path'
import { defineConfig, rolldown } from 'rolldown'
import { licences } from './.build/licences.js'

// Each chunk costs half a millisecond, so what belongs to one road is in one. `start`: what --version needs, and what
// the others share; `words`: reading any command line, and help, beside yargs; `poll`: what a poll needs.
const roads = {
  // Loaded before anything is kept compiled, so in no chunk that ought to be.
  cache: ['src/cli/compile-cache.ts', 'src/cli/kept-code.ts', 'src/cli/script-form.ts'],
  start: [
    'src/cli/main.ts',
    'src/cli/command-errors.ts',
    'src/config/destinations/url.ts',
    'src/config/values/nearest.ts',
    'src/config/values/quantity.ts',
  ],
  words: [
    'src/cli/arguments/with-yargs.ts',
    ...globSync('src/cli/commands/*/options.ts', { cwd: import.meta.dirname }),
  ],
  poll: [
    'src/cli/commands/poll/action.ts',
    'src/config/state/open-ledger.ts',
    'src/ledger/sqlite/open.ts',
    'src/poll/poller.ts',
    // What checks a configuration and the sign-ins of one share: the sign-ins are loaded without what checks.
    'src/config/oauth/signed-in.ts',
    'src/oauth/request.ts',
    'src/sign-in-providers.ts',
  ],
  // Where there is new mail. Nearly all of it goes to a Maildir: the code for one is kept with that of a full poll.
  full: ['src/poll/full/full-poll.ts', 'src/poll/account/tidy.ts', 'src/deliver/maildir/maildir.ts'],
  // A configuration that was checked before needs none of it.
  config: ['src/config/load.ts'],
}
/** What comes first is taken first. test/architecture.test.ts checks that each file is there. */
const groups = Object.entries(roads).map(([name, files], at) => ({
  name,
  test: (id) => files.includes(relative(import.meta.dirname, id)),
  priority: 10 - at,
}))

/** In ASCII: one character beyond Latin-1 would double the memory of the whole text, and the time to read it. */
export function plain(text) {
  return text.replace(/(\\*)([^\0-\x7f])/g, (_, before, character) => {
    if (before.length % 2 === 1) throw new Error(`cannot write \\${character} in ASCII`)
    return `${before}\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

// What each poll loads.
const ascii = {
  name: 'ascii',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) if (chunk.name in roads) chunk.code = plain(chunk.code)
  },
}

// An `import` of a built-in module evaluates all its getters (node:util alone loads colours, diffs and standard error), a
// tenth of an idle poll: the built program takes such modules as the objects they are. A chunk may call one of them `process`.
const builtins = {
  name: 'builtins',
  renderChunk: (code) =>
    code.replace(/^import (?:(?:\* as )?([\w$]+),? ?)?(\{.+\})? ?from "([a-z].*)";$/gm, (_, whole, names, id) =>
      id === 'node:fs/promises'
        ? late(names)
        : [whole, names?.replaceAll(' as ', ': ')]
            .filter((left) => left !== undefined)
            .map((left) => `const ${left} = ${builtin(id)};`)
            .join('\n'),
    ),
}

const builtin = (id) => `globalThis.process.getBuiltinModule("${id}")`

// What Node loads with node:fs/promises (readline, watchers of files) takes two milliseconds of each start: it is loaded at the first
// call. What asks about a file is called as node:fs has it, which is loaded anyway.
const ASKED = ['lstat', 'readdir', 'readlink', 'realpath', 'stat', 'statfs', 'unlink']

function late(names) {
  const all = names
    .slice(1, -1)
    .split(',')
    .map((one) => one.trim().split(' as '))
  const one = ([name, local = name]) => {
    if (typeof promised[name] !== 'function') throw new Error(`cannot take ${name} of node:fs/promises late`)
    // Of the two in node:fs the native one is that of node:fs/promises.
    const call = name === 'realpath' ? 'realpath.native' : name
    return ASKED.includes(name)
      ? `${local} = ${builtin('node:util')}.promisify(${builtin('node:fs')}.${call})`
      : `${local} = (...given) => ${builtin('node:fs/promises')}.${name}(...given)`
  }
  return `const ${all.map(one).join(', ')};`
}

// string-width makes emoji tables when it is loaded, 20 ms of every command line with an option. Text of plain ASCII, as
// nearly all is, needs none of them: only other text loads the package.
const widths = {
  name: 'widths',
  async resolveId(source, importer) {
    if (source !== 'string-width') return null
    const found = await this.resolve(source, importer, { skipSelf: true })
    return `\0width:${found.id}`
  },
  load(id) {
    if (!id.startsWith('\0width:')) return null
    const plain = "typeof text === 'string' && /^[\\x20-\\x7e]*$/.test(text)"
    return `export default (text, options) => ${plain} ? text.length : require('${id.slice(7)}').default(text, options)`
  },
}

// A module that is loaded at first use and lies in the chunk of another road gets a chunk of its own, which only hands on
// what that chunk exports. Each costs half a millisecond, and help would load a dozen: the chunk behind it is loaded.
const facades = {
  name: 'facades',
  generateBundle(_options, bundle) {
    const behind = new Map()
    for (const { fileName, code, isDynamicEntry } of Object.values(bundle)) {
      if (!isDynamicEntry) continue
      const [, exported, chunk] = /^export \{([^}]+)\} from "\.\/([^"]+)";\s*$/.exec(code) ?? []
      if (chunk === undefined) continue
      const names = exported.split(',').map((each) => each.trim().split(' as '))
      const object = names.map(([name, wanted = name]) => `${wanted}: chunk.${name}`).join(', ')
      behind.set(basename(fileName), `${chunk}").then((chunk) => ({ ${object} }))`)
      delete bundle[fileName]
    }
    for (const chunk of Object.values(bundle)) {
      chunk.code = chunk.code?.replace(
        /(?<=\bimport\("\.\/(?:chunks\/)?)([\w.-]+)"\)/g,
        (call, name) => behind.get(name) ?? call,
      )
    }
  },
}

// kept-code.ts runs these chunks as scripts, which have neither `import()` nor `import.meta`; see script-form.ts, which takes this
// line for the sign that neither is in the rest.
const GIVEN = 'const given$reach = (specifier) => import(specifier), given$url = import.meta.url;\n'
const scripted = ['rolldown-runtime', 'start', 'poll', 'full', 'config']
const scripts = {
  name: 'scripts',
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      if (chunk.code === undefined || !scripted.includes(chunk.name)) continue
      const [imports] = /^(?:import .*\n)*/.exec(chunk.code)
      const rest = chunk.code.slice(imports.length)
      chunk.code = imports + GIVEN + given(rest)
    }
  },
}

function given(code) {
  return code.replaceAll(/(?<![\w$.])import\(/g, 'given$reach(').replaceAll('import.meta.url', 'given$url')
}

// The start file has the code in itself that runs the chunks as scripts, and loads them through it: each file that Node loads as a
// module costs a millisecond. All of it stays at first use: an old Node must reach the version guard.
const start = {
  name: 'start',
  async generateBundle(_options, bundle) {
    const entry = bundle['popfetch.js']
    const [, call, file] =
      /(import\("(\.\/chunks\/cache-[\w-]+\.js)"\)(?:\.then\(\(\w+\) => \w+\.\w+\))?)/.exec(entry.code) ?? []
    if (call === undefined) throw new Error('the start file does not load the cache')
    const build = await rolldown({
      input: 'src/cli/kept-code.ts',
      cwd: import.meta.dirname,
      platform: 'node',
      plugins: [builtins],
    })
    const { output } = await build.generate({ format: 'esm', comments: false, minify })
    await build.close()
    const own = output[0].code.replace(/\nexport (\{[^}]+\});\s*$/, '\nreturn $1;')
    const inside = [
      `const given$url = new URL("${file}", import.meta.url).href;`,
      'const given$reach = async (url) => (globalThis[Symbol.for("popfetch.chunk")] ?? ((url) => import(url)))(new URL(url, import.meta.url).href);',
      `function given$cache() {\n${own.replaceAll('import.meta.url', 'given$url')}\n}`,
    ]
    const rest = entry.code.replace(call, 'given$cache()')
    const at = rest.indexOf('\n') + 1
    entry.code = `${rest.slice(0, at)}${inside.join('\n')}\n${rest.slice(at).replaceAll('import("', 'given$reach("')}`
  },
}

// With its line ends: Node prints the line of an error that nobody caught, and one line would be a whole chunk.
const minify = { compress: true, mangle: false, codegen: { removeWhitespace: false } }

// cosmiconfig comes with a YAML parser and with a search in usual places. config/load.ts uses neither, and env-paths could
// not even be loaded for a user without a home directory. pg looks for passwords in a file, which config/state/password.ts does, and
// knows another driver and another platform.
const UNUSED = ['js-yaml', 'env-paths', 'pgpass', 'pg-native', 'pg-cloudflare']
const unused = {
  name: 'unused',
  resolveId: (source) => (UNUSED.includes(source) ? `\0unused:${source}` : null),
  load: (id) =>
    id.startsWith('\0unused:') ? `export default () => { throw new Error('${id.slice(8)} is left out') }` : null,
}

export default defineConfig({
  logLevel: 'warn',
  input: { popfetch: 'bin/popfetch.ts', index: 'src/index.ts' },
  platform: 'node',
  plugins: [builtins, ascii, widths, unused, facades, scripts, start, licences],
  output: {
    dir: 'dist',
    format: 'esm',
    cleanDir: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: { groups },
    // Licences are in a file of their own.
    comments: false,
    minify,
  },
})
