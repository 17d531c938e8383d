// A disk that takes its time: a library, loaded in front of the C library, that waits after each sync. Every client gets the same.
import { join } from 'node:path'
import { installed, runProgram } from '../servers/program.ts'

/** What a client is given so that each sync takes `us` microseconds longer. Null: there is no C compiler to make the library. */
export async function slowSync(us: number, directory: string): Promise<Readonly<Record<string, string>> | null> {
  if (us === 0) return {}
  const compiler = await installed('cc')
  if (compiler === null) return null
  const library = join(directory, 'slow-sync.so')
  const source = join(import.meta.dirname, 'slow-sync.c')
  await runProgram(compiler, ['-O2', '-shared', '-fPIC', '-o', library, source], directory)
  return { LD_PRELOAD: library, SLOW_SYNC_US: String(us) }
}
