// Loaded before the program (instrument.ts). At its end it writes the longest pause of the event loop, in milliseconds, to the file that
// LOOP_DELAY_FILE names, and the most of a pause in which the loop's own thread was at work: the rest is that of other programs.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const EVERY_MS = 5
const delay = monitorEventLoopDelay({ resolution: EVERY_MS })
let ownMs = 0
let before = process.threadCpuUsage()
let lastMs = performance.now()
// Loading the program itself is not what is measured.
setTimeout(() => {
  delay.enable()
  before = process.threadCpuUsage()
  lastMs = performance.now()
  setInterval(() => {
    const [nowMs, cpu] = [performance.now(), process.threadCpuUsage(before)]
    if (nowMs - lastMs > 2 * EVERY_MS) ownMs = Math.max(ownMs, (cpu.user + cpu.system) / 1000)
    before = process.threadCpuUsage()
    lastMs = nowMs
  }, EVERY_MS).unref()
}, 0)
process.on('exit', () => {
  const file = process.env['LOOP_DELAY_FILE']
  if (file !== undefined) writeFileSync(file, JSON.stringify({ longestMs: delay.max / 1e6, ownMs }))
})
