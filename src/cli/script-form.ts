// A chunk of the built program as a script. V8 keeps the compiled code of a script as it is after a run, functions that were
// compiled at their first call among it; that of a module only as it is before. The bundler writes chunks in one form: imports of
// other chunks first, a line each, and all exports in one statement at the end; .rolldown.config.js puts a line between, by which the
// text has no word that only a module may have, and need not be looked through at each start. Whatever differs stays a module.
// Imports no other file.

/** `load` gives the exports of another chunk, `reach` is `import()`, `url` is `import.meta.url`. */
export type Evaluate = (
  load: (chunk: string) => Exports,
  reach: (specifier: string) => Promise<unknown>,
  url: string,
) => Exports

export type Exports = Readonly<Record<string, unknown>>

/** Names that no text of ours has: a chunk may have a function `load` of its own. */
const LOAD = 'given$load'
const REACH = 'given$reach'
const URL = 'given$url'
/** How the line begins in which a module gives itself what a script is given. */
const GIVEN = `const ${REACH} = `

const FIRST_LINE = /^import (?:\{ (.+) \} from )?"\.\/([\w.-]+)";$/
const LAST_STATEMENT = /\nexport \{ (.+) \};\s*$/

/** The text of an expression whose value is an Evaluate, with the same numbers of lines. Null: the text has another form. */
export function scriptOf(text: string): string | null {
  let at = 0
  let head = ''
  while (text.startsWith('import ', at)) {
    const end = text.indexOf('\n', at)
    const [, names, chunk] = FIRST_LINE.exec(text.slice(at, end)) ?? []
    if (chunk === undefined) return null
    const loaded = `${LOAD}(${JSON.stringify(chunk)});\n`
    head += names === undefined ? loaded : `const { ${names.replaceAll(' as ', ': ')} } = ${loaded}`
    at = end + 1
  }
  if (!text.startsWith(GIVEN, at)) return null
  // Far from the end the expression would be slow.
  const tail = text.slice(text.lastIndexOf('\nexport {'))
  const [, given] = LAST_STATEMENT.exec(tail) ?? []
  if (given === undefined) return null
  const exported = given.split(', ').map((one) => {
    const [local = '', name = local] = one.split(' as ')
    return `${JSON.stringify(name)}: ${local}`
  })
  const body = text.slice(text.indexOf('\n', at) + 1, text.length - tail.length)
  return `(function (${LOAD}, ${REACH}, ${URL}) { "use strict"; ${head}\n${body}\nreturn { ${exported.join(', ')} };\n})`
}

/** The text of a module with these exports, which `from` gives. */
export function moduleOf(names: readonly string[], from: string): string {
  const locals = names.map((name, at) => `${JSON.stringify(name)}: export${at}`)
  const exported = names.map((name, at) => `export${at} as ${name}`)
  return `const { ${locals.join(', ')} } = ${from};\nexport { ${exported.join(', ')} };`
}
