// Loaded before the program (`node --import`). At its end it writes the longest pause of the event loop, in milliseconds, to
// the file that LOOP_DELAY_FILE names.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 5 })
// Loading the program itself is not what is measured.
setTimeout(() => delay.enable(), 0)
process.on('exit', () => {
  const file = process.env['LOOP_DELAY_FILE']
  if (file !== undefined) writeFileSync(file, String(delay.max / 1e6))
})
