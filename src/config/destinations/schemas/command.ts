// The keys of a program that takes each message.
import * as z from 'zod'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { common } from './common.ts'

/** Names that popfetch gives a value itself. */
const OURS = /^(?:POPFETCH_.*|SENDER|RECIPIENT)$/

const NAMES = 'names of variables (letters, digits and _; not SENDER, RECIPIENT or POPFETCH_…) with a text for each'

export const command = value.once((resolve) => {
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

export type CommandKeys = Frozen<z.output<ReturnType<typeof command>>>
