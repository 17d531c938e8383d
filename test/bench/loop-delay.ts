// Loaded before the program (`node --import`): when it ends, the longest time its event loop did not turn is in the file
// that LOOP_DELAY_FILE names, in milliseconds.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 5 })
// Loading the program itself is not what is measured.
setTimeout(() => delay.enable(), 0)
process.on('exit', () => {
  const file = process.env['LOOP_DELAY_FILE']
  if (file !== undefined) writeFileSync(file, String(delay.max / 1e6))
})
