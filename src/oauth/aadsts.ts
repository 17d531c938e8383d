// What Microsoft says by number (AADSTS…), in words and with what to do. Numbers explain; what a refusal means for the sign-in follows
// from its error (answers.ts), but for failures that Microsoft itself calls transient.
// From https://learn.microsoft.com/entra/identity-platform/reference-error-codes, read in November 2026; 700024 and 7000229 are not
// there, and are in the issues of Azure/aks-set-context (101) and Azure/azure-sdk-for-net (46762).

const SIGN_IN_AGAIN = 'sign in again'
const ADMINISTRATOR = 'ask its administrator'

const WORDS: readonly (readonly [readonly number[], string])[] = [
  [
    [50011, 70004, 900971],
    'the address http://localhost is not among the redirect addresses of the client: add it there, as "Mobile and desktop application"',
  ],
  [
    [16000, 50014, 50020, 51004, 90072],
    'this account does not belong to the tenant: set tenant: consumers for Outlook.com, or the tenant of the account',
  ],
  [[500208], 'this kind of account is not for this tenant: set tenant: consumers for Outlook.com, or organizations'],
  [[50034], 'there is no such account in this tenant'],
  [
    [50053],
    'the account is locked for a while after too many wrong passwords, or the address of this machine is blocked',
  ],
  [[50055, 50144], 'the password of the account has expired: change it, and sign in again'],
  [[50057], `the account is disabled: ${ADMINISTRATOR}`],
  [[50074, 50076, 50078, 50158], `the organisation requires a second factor: ${SIGN_IN_AGAIN}`],
  [[50072, 50079, 53004], `the organisation requires a second factor to be set up: ${SIGN_IN_AGAIN}`],
  [[50105], `the account is not assigned to this client: ${ADMINISTRATOR}`],
  [[50126], 'the user name or the password was wrong'],
  [[50132, 50133, 50173], `the password was changed or the sign-ins were withdrawn: ${SIGN_IN_AGAIN}`],
  [[50194, 90124, 90130], 'the client is for one tenant only: set tenant to it'],
  [[9001023], 'this flow is not for common or consumers: set tenant to that of the organisation'],
  [[9002332], 'the client is for organisations only: set tenant: organizations, or to that of the organisation'],
  [[50002, 500021, 500022, 500212, 500213], `the organisation allows no access to this tenant: ${ADMINISTRATOR}`],
  [[530035], `the security defaults of the organisation forbid it: ${ADMINISTRATOR}`],
  [
    [50005, 50131, 53000, 53001, 53002, 53003, 53011, 530032],
    `a rule of the organisation (Conditional Access) forbids it: ${ADMINISTRATOR}`,
  ],
  [[65001, 90008], 'the client has no consent: sign in again, or let an administrator consent'],
  [[65004], 'the consent was declined'],
  [[90094, 90095, 90099], 'an administrator has to consent to this client first'],
  [
    [65005, 650056, 650057],
    'the client does not list this permission: add it at entra.microsoft.com, App registrations, API permissions',
  ],
  [[650052, 650054], `the organisation has no such service: ${ADMINISTRATOR}`],
  [[70000], `the sign-in is no longer valid: ${SIGN_IN_AGAIN}`],
  [[70008, 700082], `the sign-in was not used for too long: ${SIGN_IN_AGAIN}`],
  [[50089, 70043, 700084], `a rule of the organisation limits how long a sign-in lasts: ${SIGN_IN_AGAIN}`],
  [[28002, 70011, 700022, 700023], 'the scopes are not valid: check scopes'],
  [[70019], 'the code has expired: start again'],
  [[90002, 90019, 50059, 50128], 'there is no such tenant: check tenant'],
  [[500011, 50001], 'the tenant does not know this service: check scopes and tenant'],
  [[70001, 7000112, 1000031], `the client is disabled: ${ADMINISTRATOR}`],
  [[700016, 700011], 'the tenant does not know this client: check clientId and tenant'],
  [[7000229], 'the tenant has no enterprise application for this client: let an administrator consent to it there'],
  [[700024, 500133], 'the proof of the client is not valid at this time: set the clock of this machine'],
  [[700027, 700030, 50012], 'the certificate of the client is not the one registered: check clientCertificate'],
  [[700025], 'the client is a public one: leave out clientSecret'],
  [[70002, 7000215], 'the client secret is wrong: use its Value, not its ID'],
  [[7000218], 'the client is not a public one: switch "Allow public client flows" on, or set clientSecret'],
  [[7000222], 'the client secret has expired: make a new one'],
]

const BY_NUMBER: ReadonlyMap<string, string> = new Map(
  WORDS.flatMap(([numbers, words]) => numbers.map((number) => [String(number), words] as const)),
)

/** Failures of Microsoft's own, and requests that came too fast: the next one may be answered. */
const TRANSIENT: ReadonlySet<string> = new Set(
  [50033, 50087, 50088, 50166, 50196, 70012, 80002, 80005, 80014, 90006, 90012, 90024, 90033, 90055, 90090, 90091].map(
    String,
  ),
)

/** The number in a description; null: there is none. */
export function aadstsOf(description: string | null): string | null {
  return /\bAADSTS(\d{4,8})\b/.exec(description ?? '')?.[1] ?? null
}

/** Null: it is not known here. */
export function aadstsText(number: string): string | null {
  return BY_NUMBER.get(number) ?? null
}

export function isTransient(number: string): boolean {
  return TRANSIENT.has(number)
}

/** For tests. */
export const AADSTS = { words: BY_NUMBER, transient: TRANSIENT } as const
