// The workflows that check and release: what they run is there, and they may do no more than they need. Whether GitHub does what they
// say, only GitHub shows.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

interface Step {
  readonly run?: string
  readonly uses?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Job {
  readonly needs?: string | readonly string[]
  readonly permissions?: Readonly<Record<string, string>>
  readonly steps: readonly Step[]
  readonly 'timeout-minutes'?: number
}

interface Workflow {
  readonly name: string
  readonly on: object
  readonly permissions?: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

const ROOT = join(import.meta.dirname, '..')
const FOLDER = join(ROOT, '.github/workflows')
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

describe.each(readdirSync(FOLDER))('%s', (file) => {
  const workflow = parse(readFileSync(join(FOLDER, file), 'utf8')) as Workflow
  const jobs = Object.entries(workflow.jobs)
  const steps = jobs.flatMap(([, job]) => job.steps)

  test('may only read, but where a job says what it writes, and ends', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' })
    for (const [name, { permissions = {}, 'timeout-minutes': minutes }] of jobs) {
      expect([name, minutes]).toEqual([name, expect.any(Number)])
      // Only who publishes signs.
      if (permissions['id-token'] !== undefined) expect(name).toBe('publish')
    }
  })

  test('waits for jobs that there are, and takes actions of GitHub alone, by their version', () => {
    for (const [, { needs = [] }] of jobs)
      for (const name of [needs].flat()) expect(Object.keys(workflow.jobs)).toContain(name)
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/^actions\/[\w-]+@v\d+$/)
  })

  test('runs lines that a shell understands, scripts of the package, and files that are there', () => {
    for (const { run } of steps) {
      if (run === undefined) continue
      const line = run.replace(/\$\{\{[^}]*\}\}/g, 'x')
      execFileSync('bash', ['-n', '-c', line])
      for (const [, script = ''] of line.matchAll(/\bnpm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(script)
      for (const [, path = ''] of line.matchAll(/(?:^|\s)(\.ci\/\S+|\.build\/\S+|examples\/\S+)/g))
        expect([path, existsSync(join(ROOT, path))]).toEqual([path, true])
    }
  })

  test('writes no secret into a line that everybody may read', () => {
    for (const { run = '' } of steps) {
      expect(run).not.toMatch(/\$\{\{\s*secrets\./)
      // What a stranger may name (a branch, a title) is no part of a command.
      expect(run).not.toMatch(/\$\{\{\s*github\.(?:event|head_ref|ref_name)/)
    }
  })
})
