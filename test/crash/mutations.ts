// Proof that the tests notice bugs (HAZARDS F3, method 14). It removes one safeguard, or one decision of a poll, at a time from a copy of
// the program and runs the test that is named for it, which must fail. `node test/crash/mutations.ts [--crash] [WORD …]`, by hand; half
// a minute each. With `--crash` it is the sample of the crash suite that must fail, which takes minutes each. They are in
// safeguards.ts and ../poll/decisions.ts; one that does not fit the source any more is a failure.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DECISIONS } from '../poll/decisions.ts'
import { MUTATIONS, type Mutation } from './safeguards.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const SAMPLE: readonly string[] = ['--config', 'test/crash/vitest.config.ts', '--mode', 'sample']

const byCrash = process.argv[2] === '--crash'
const wanted = process.argv.slice(byCrash ? 3 : 2)
const tree = mkdtempSync(path.join(tmpdir(), 'popfetch-mutations-'))
try {
  const archive = execFileSync('git', ['archive', 'HEAD'], { cwd: ROOT, maxBuffer: 1 << 28 })
  execFileSync('tar', ['x', '-C', tree], { input: archive })
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(tree, 'node_modules'))
  for (const mutation of [...MUTATIONS, ...DECISIONS].filter(({ what }) =>
    wanted.every((word) => what.includes(word)),
  )) {
    const verdict = judge(mutation)
    if (verdict.startsWith('SURVIVED')) process.exitCode = 1
    console.log(`${mutation.what}\n    ${verdict}`)
  }
} finally {
  rmSync(tree, { recursive: true, force: true })
}

function judge({ file, from, to, test, title }: Mutation): string {
  const source = path.join(tree, file)
  const text = readFileSync(source, 'utf8')
  if (text.split(from).length !== 2) return `SURVIVED: ${file} does not have this line once`
  writeFileSync(
    source,
    text.replace(from, () => to),
  )
  try {
    return firstFailure(test === undefined || byCrash ? SAMPLE : namedTest(test, title))
  } finally {
    writeFileSync(source, text)
  }
}

function namedTest(test: string, title: string | undefined): readonly string[] {
  return ['--config', 'test/vitest.config.ts', test, ...(title === undefined ? [] : ['-t', title])]
}

function firstFailure(which: readonly string[]): string {
  const result = path.join(tree, 'result.json')
  rmSync(result, { force: true })
  const reporters = ['--reporter=json', `--outputFile.json=${result}`]
  const args = ['run', ...which, '--bail=1', ...reporters]
  const { status } = spawnSync(path.join(tree, 'node_modules/.bin/vitest'), args, { cwd: tree, stdio: 'ignore' })
  if (status === 0) return 'SURVIVED'
  const report = JSON.parse(readFileSync(result, 'utf8')) as {
    readonly testResults: readonly {
      readonly name: string
      readonly message: string
      readonly assertionResults: readonly {
        readonly status: string
        readonly fullName: string
        readonly failureMessages: readonly string[]
      }[]
    }[]
  }
  for (const { name, message, assertionResults } of report.testResults) {
    const failed = assertionResults.find((assertion) => assertion.status === 'failed')
    if (failed === undefined && message === '') continue
    const violation = /^ *\+ +"(.*)",?$/m.exec(failed?.failureMessages[0] ?? '')?.[1]
    const said = violation ?? failed?.failureMessages[0]?.split('\n')[0] ?? message
    return `caught by ${path.basename(name)}: ${failed?.fullName ?? 'loading it'}: ${said}`
  }
  return `SURVIVED: vitest ended with ${status} and no failed test`
}
