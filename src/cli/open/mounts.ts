// In a container, what is in no mount is gone with the container. The ledger, and then everything comes twice, or mail that was
// deleted from its server. The image sets two folders aside for mounts, and popfetch refuses to write to one that has none.
import { readFile } from 'node:fs/promises'
import type { Configuration } from '../../config/schema.ts'
import { isContainer } from '../../environment.ts'
import { configurationError } from '../command-errors.ts'
import type { Surroundings } from '../surroundings.ts'

const STATE = '/state'
const MAIL = '/mail'

/** Rejects with ERR_CONFIG. Asks the system only where one of the folders is used. */
export async function refuseUnmounted(
  { statePath, postgres, destinations }: Pick<Configuration, 'statePath' | 'postgres' | 'destinations'>,
  { env }: Pick<Surroundings, 'env'>,
  mountPoints: () => Promise<readonly string[]> = readMountPoints,
): Promise<void> {
  if (!isContainer(env)) return
  const paths = [...destinations.values()].flatMap((destination) => ('path' in destination ? [destination.path] : []))
  const mail = paths.find((path) => isBelow(path, MAIL))
  // A ledger in a database stays.
  const isInState = postgres === null && isBelow(statePath, STATE)
  if (!isInState && mail === undefined) return
  const mounts = await mountPoints()
  if (isInState && !isMounted(statePath, mounts))
    throw configurationError(
      `the ledger ${statePath} would be gone with this container, and all mail would come twice: ${STATE} is not a mount: mount a volume or a folder there, such as -v popfetch-state:${STATE}`,
    )
  if (mail !== undefined && !isMounted(mail, mounts))
    throw configurationError(
      `mail in ${mail} would be gone with this container: ${MAIL} is not a mount: mount a folder there, such as -v "$PWD/mail:${MAIL}"`,
    )
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

/** Is it in any mount but that of the root? */
function isMounted(path: string, mounts: readonly string[]): boolean {
  return mounts.some((mount) => mount !== '/' && isBelow(path, mount))
}

/** Where something is mounted. [] where the system does not tell. */
async function readMountPoints(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  return mountPointsIn(text)
}

/** proc(5): the fifth word of each line; blanks are written as octal numbers. */
export function mountPointsIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const point = line.split(' ')[4]
    return point === undefined
      ? []
      : [point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))]
  })
}
