// A program that takes each message on its standard input. How it is run is in deliver/command/.
// The one rule: of its words only the first is shown anywhere, and no value of `env`: the others may hold a secret.
import * as z from 'zod'
import { display } from '../../display.ts'
import { formatDuration } from '../values/quantity.ts'
import { commandName } from '../values/secret.ts'
import * as value from '../values/values.ts'
import { common, kind, plain } from './kind.ts'

/** Names that popfetch gives a value itself. */
const OURS = /^(?:POPFETCH_.*|SENDER|RECIPIENT)$/

const NAMES = 'names of variables (letters, digits and _; not SENDER, RECIPIENT or POPFETCH_…) with a text for each'

const schema = value.once((resolve) => {
  return value
    .mapping({
      type: z.literal('command'),
      run: value
        .program(resolve)
        .describe('Program and arguments, run without a shell; the exit code decides what happens to the message'),
      env: z
        .record(
          z
            .string()
            .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
            .refine((name) => !OURS.test(name)),
          z
            .string({ error: 'text, in quotes if it looks like a number' })
            .regex(/^[^\0]*$/, { error: 'text without NUL' }),
          { error: NAMES },
        )
        .default({})
        .describe('Variables to add to its environment'),
      cwd: value.orNull(value.filePath(resolve)).describe('Working directory, by default /'),
      timeout: value.timeout.prefault('5m').describe('Time limit; after it the program and its children are killed'),
      concurrency: value.wholeNumber(1, 50).default(1).describe('Maximum number of programs at the same time'),
      ...common,
    })
    .transform(({ timeout, ...written }) => ({ ...written, timeoutMs: timeout }))
})

export const command = kind({
  ...plain,
  schema,
  usualName: 'agent',
  // No URL: the arguments may hold a secret. Two that differ in them alone have to be named.
  canonicalUrl: ({ run }) => `command:${commandName(run.slice(0, 1)).slice(1, -1)}`,
  // A value may be a secret, as an argument may.
  show: ({ timeoutMs, env, ...keys }) => ({
    ...keys,
    run: [commandName(keys.run)],
    env: Object.fromEntries(Object.keys(env).map((name) => [name, '(set)'])),
    timeout: formatDuration(timeoutMs),
  }),
  settings: (config) => ({ ...config, description: `command ${display(config.run[0] ?? '')}` }),
})
