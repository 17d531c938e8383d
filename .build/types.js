// Writes dist/index.d.ts, one file for users of the library: what src/index.ts exports and what that needs, without
// third-party types. The compiler emits a declaration for each source file and joined() makes one of them. Then each type
// that is made from a third-party one (from zod's, in the configuration) is written out, and joined() drops the rest.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import * as is from 'typescript/unstable/ast/is'
import { SyntaxKind } from 'typescript/unstable/ast'
import { API, NodeBuilderFlags, SymbolFlags } from 'typescript/unstable/sync'

const root = dirname(import.meta.dirname)
const dist = resolve(process.argv[2] ?? join(root, 'dist'))
const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'popfetch-types-')))
const work = join(temporary, 'work')
const tsc = join(root, 'node_modules/.bin/tsc')

try {
  // Third-party types are looked for in the folders above.
  symlinkSync(join(root, 'node_modules'), join(temporary, 'node_modules'))
  execFileSync(tsc, ['-p', '.tsconfig.types.json', '--outDir', work], { cwd: root, stdio: 'inherit' })
  const file = join(work, 'joined.d.ts')
  writeFileSync(file, read(join(work, 'index.d.ts'), joined))
  writeFileSync(file, read(file, writtenOut))
  const text = read(file, joined)
  const foreign = /^import .* from ['"](?!node:).*$/m.exec(text)
  if (foreign !== null) throw new Error(`the types of the library still need others: ${foreign[0]}`)
  writeFileSync(join(dist, 'index.d.ts'), text)
} finally {
  rmSync(temporary, { recursive: true, force: true })
}

/** What `question` makes of a declaration file, with the compiler to ask. */
function read(file, question) {
  const config = join(work, 'tsconfig.json')
  writeFileSync(config, JSON.stringify({ extends: join(root, 'tsconfig.json'), files: [file], include: [] }))
  const api = new API({ cwd: root })
  try {
    const [project] = api.updateSnapshot({ openProjects: [config] }).getProjects()
    return question(project.program.getSourceFile(file), project)
  } finally {
    api.close()
  }
}

/** One file with all that `entry` exports and the declarations that this needs, from whatever file of ours. */
function joined(entry, project) {
  const { checker } = project
  const names = new Map()
  const needed = new Set()
  const imports = new Set()
  const renamed = []

  /** The name that a symbol has in the joined file; the statements that declare it will be there. */
  const nameOf = (symbol, homes) => {
    const taken = new Set(names.values())
    let name = names.get(symbol) ?? symbol.name
    for (let count = 2; !names.has(symbol) && taken.has(name); count++) name = `${symbol.name}${count}`
    names.set(symbol, name)
    for (const home of homes) needed.add(home)
    return name
  }
  const textOf = (statement) => {
    const source = statement.getSourceFile()
    const edits = []
    for (const { word, symbol, homes, from } of wordsOf(statement, project)) {
      // `import('./other.ts').Name` becomes `Name`.
      const start = (is.isImportTypeNode(word.parent) ? word.parent : word).getStart(source)
      if (homes.length > 0) edits.push({ start, end: word.end, by: nameOf(symbol, homes) })
      else if (from !== null) imports.add(from.getText(source))
    }
    for (const modifier of exported.has(statement) ? [] : (statement.modifiers ?? [])) {
      const isExport = modifier.kind === SyntaxKind.ExportKeyword
      if (isExport) edits.push({ start: modifier.getStart(source), end: modifier.end + 1, by: '' })
    }
    return edited(statement, edits)
  }

  const exported = new Set()
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(entry))) {
    const original = originalOf(symbol, checker)
    const homes = homesOf(original, project)
    const name = nameOf(original, homes)
    if (name === symbol.name) for (const home of homes) exported.add(home)
    else renamed.push(`export { ${name} as ${symbol.name} };`)
  }
  // The set grows while it is walked.
  const texts = new Map()
  for (const statement of needed) texts.set(statement, textOf(statement))
  const place = (node) => `${node.getSourceFile().fileName}:${String(node.pos).padStart(9, '0')}`
  const inOrder = [...texts].sort(([one], [other]) => (place(one) < place(other) ? -1 : 1)).map(([, text]) => text)
  // Without an export statement everything in a declaration file would be exported.
  return [...imports, ...inOrder, ...renamed, 'export {};', ''].join('\n')
}

/** The same file; a type that is made from a third-party one has the members that this gives it. */
function writtenOut(source, project) {
  const { checker } = project
  const flags = NodeBuilderFlags.NoTruncation | NodeBuilderFlags.InTypeAlias | NodeBuilderFlags.MultilineObjectLiterals
  const parts = source.statements.map((statement) => ({
    statement,
    words: wordsOf(statement, project),
    isPlainAlias: is.isTypeAliasDeclaration(statement) && statement.typeParameters === undefined,
  }))
  // What names something foreign is foreign too, but for the types that are written out.
  const foreign = new Set()
  const isForeign = ({ words }) =>
    words.some(
      ({ homes, from }) => homes.some((home) => foreign.has(home)) || /from ['"](?!node:)/.test(from?.getText(source)),
    )
  for (let before = -1; before !== foreign.size;) {
    before = foreign.size
    for (const part of parts) if (!part.isPlainAlias && isForeign(part)) foreign.add(part.statement)
  }
  const texts = parts.map((part) => {
    if (!part.isPlainAlias || !isForeign(part)) return edited(part.statement, [])
    const { type } = part.statement
    const by = checker.typeToString(checker.getTypeFromTypeNode(type), part.statement, flags)
    return edited(part.statement, [{ start: type.getStart(source), end: type.end, by }])
  })
  return texts.join('\n')
}

/** Each name in a statement: what it means, the statements of ours that declare that, or the import it comes from. */
function wordsOf(statement, project) {
  const words = []
  const visit = (node) => void (is.isIdentifier(node) ? words.push(node) : node.forEachChild(visit))
  visit(statement)
  const symbols = project.checker.getSymbolAtLocation(words)
  return words.flatMap((word, at) => {
    if (symbols[at] === undefined) return []
    const symbol = originalOf(symbols[at], project.checker)
    const homes = homesOf(symbol, project)
    let from = symbols[at].declarations[0]?.resolve(project)
    while (from !== undefined && !is.isImportDeclaration(from)) from = from.parent
    return [{ word, symbol, homes, from: from ?? null }]
  })
}

function originalOf(symbol, checker) {
  return symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

/** The statements that declare a symbol; [] if it is not ours, or a member of something. */
function homesOf(symbol, project) {
  return symbol.declarations
    .map((handle) => handle.resolve(project))
    .map((node) => (is.isVariableDeclaration(node) ? node.parent.parent : node))
    .filter(
      (node) => node.parent !== undefined && is.isSourceFile(node.parent) && node.parent.fileName.startsWith(work),
    )
}

function edited(statement, edits) {
  const { text } = statement.getSourceFile()
  let result = text.slice(statement.pos, statement.end)
  for (const { start, end, by } of edits.toSorted((one, other) => other.start - one.start)) {
    result = result.slice(0, start - statement.pos) + by + result.slice(end - statement.pos)
  }
  return result.trim()
}
