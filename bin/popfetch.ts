#!/usr/bin/env node
// The start of the program. No static import: a Node that is too old must reach the version guard. And Node opens its debugger on
// SIGUSR1, unless a handler is set before anything else is loaded. No top-level await: the single executable is one CommonJS file,
// which has none.
process.on('SIGUSR1', () => {})

// libuv reads it when the first of its threads begins. With its default of four, four syncs at most join one commit of a file
// system's journal; 32 make a delivery to a disk about twice as fast.
process.env['UV_THREADPOOL_SIZE'] ??= '32'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(
    `popfetch: needs Node.js 24.15 or newer, this is ${process.versions.node}: install a newer Node.js\n`,
  )
  process.exit(78)
}
void start()

async function start(): Promise<void> {
  // In a container that runs as root: before anything is read.
  if (process.env['POPFETCH_CONTAINER'] === '1') {
    const { becomeUser } = await import('../src/cli/container.ts')
    becomeUser(process)
  }
  // What was compiled is kept for the next start: a third of an idle poll. Only for the built program, whose files do not
  // change under it, and only in a folder that nobody else can write to. What is there is run.
  const argv = process.argv.slice(2)
  const cache = import.meta.url.endsWith('.js')
    ? (await import('../src/cli/kept-code.ts')).useKeptCode(process.env, argv)
    : undefined
  const { main } = await import('../src/cli/main.ts')
  await main(argv, cache)
}
