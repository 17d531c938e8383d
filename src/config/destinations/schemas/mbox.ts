// The keys of an mbox.
import * as z from 'zod'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { common, SHARED } from './common.ts'

export const mbox = value.once((resolve) =>
  value.mapping({
    type: z.literal('mbox'),
    path: value
      .accountPath(resolve)
      .describe(
        'File; may contain {account}, {recipient}, {local} and {domain}. Created if missing, but its directory is not',
      ),
    shared: value.flag.default(false).describe(SHARED),
    ...common,
  }),
)

export type MboxKeys = Frozen<z.output<ReturnType<typeof mbox>>>
