// What a configuration was made of: every text that was read for it, and every variable of the environment that was asked for. When
// all of it is the same again, so is the configuration (kept.ts).
import type { Environment } from '../paths.ts'

/** Read from `process.env`, where no environment is handed down (environment.ts). */
const ALWAYS = ['UMASK', 'POPFETCH_CONTAINER']

export interface Source {
  /** Absolute. */
  readonly file: string
  readonly text: string
  /** Is a secret written in it? Then others must not be able to read it. */
  readonly holdsSecret: boolean
}

/** Given to the loader, which tells it all that it reads. */
export class Witness {
  readonly env: Environment
  readonly sources: Source[] = []
  readonly #names = new Set<string>(ALWAYS)
  #isWhole = true

  constructor(env: Environment) {
    const asked = (name: string | symbol): void => void (typeof name === 'string' && this.#names.add(name))
    this.env = new Proxy(env, {
      get: (target, name) => {
        asked(name)
        return typeof name === 'string' ? target[name] : undefined
      },
      has: (target, name) => {
        asked(name)
        return name in target
      },
      ownKeys: (target) => {
        this.never()
        return Reflect.ownKeys(target)
      },
    })
  }

  read(source: Source): void {
    this.sources.push(source)
  }

  /** It also depends on something else, such as the answer of a program. */
  never(): void {
    this.#isWhole = false
  }

  /** False: that the rest is the same proves nothing. Without a home the password file was asked. */
  get isWhole(): boolean {
    return this.#isWhole && this.sources.length > 0 && this.env['HOME'] !== undefined
  }

  /** In a fixed order. */
  get names(): readonly string[] {
    return [...this.#names].toSorted()
  }
}
