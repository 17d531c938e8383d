// The passwords that no old file has, such as Thunderbird's, which keeps them encrypted: where an option says they are, or what
// a person types. A person who types nothing adds them later.
import { display } from '../../../display.ts'
import { type Imported, type ImportedAccount, type ImportedSecret, writtenSecret } from '../../../setup/imported.ts'
import type { PasswordPlace } from '../../common-options.ts'
import type { Dialogue } from '../../terminal/dialogue.ts'

/** More nobody types; the others find out where to write theirs. */
const MOST_ASKED = 20

/** `place` holds for every account without a password. Rejects with ERR_ABORTED when a person breaks off. */
export async function withPasswords(
  imported: Imported,
  place: PasswordPlace | null,
  dialogue: Pick<Dialogue, 'askSecret'> | null,
): Promise<Imported> {
  const accounts: ImportedAccount[] = []
  let asked = 0
  for (const account of imported.accounts) {
    const { secret, off, host, user } = account
    if (secret.kind !== 'missing' || off || account.secretKey === 'token') accounts.push(account)
    else if (place !== null) accounts.push({ ...account, secret: secretAt(place) })
    else if (dialogue === null || ++asked > MOST_ASKED) accounts.push(account)
    else {
      const question = `Password of ${display(user)} at ${display(host)} (press Enter to add it later)`
      accounts.push({ ...account, secret: writtenSecret(await dialogue.askSecret(question)) })
    }
  }
  return { ...imported, accounts }
}

function secretAt(place: PasswordPlace): ImportedSecret {
  if ('env' in place) return { kind: 'env', name: place.env }
  if ('file' in place) return { kind: 'file', path: place.file }
  return { kind: 'command', run: place.command }
}
