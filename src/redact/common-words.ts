// Words that stand in the answers of servers and in our own texts. As a password such a word is hidden only where a server
// repeats an argument. `535 **** user name or password` would reveal that it is "wrong".

const WORDS = `
  a able abort aborted about accept accepted access account accounts address after again against alias all allowed already
  an and another answer any anybody apop are argument as at attempt attempts auth authenticate authenticated
  authentication authorization authorized awaiting away back bad bandwidth base64 be because been before being between
  blocked box busy but by bye cancel cancelled cannot capa capability certificate challenge change changed check client
  close closed closing code command commands complete completed configuration configured connect connected connecting
  connection connections content could count cram credentials data date day days dead default deferred dele delete deleted
  delivered delivery denied destination did directory disabled disconnected disk do does domain done down drop due email
  empty enabled encrypted encryption end ended enough enter error errors exceeded exchange exist exists expected expired
  fail failed failure fatal fault fetch file final first folder for forbidden found from full get go good goodbye granted
  greeting had handshake has have held hello helo help here host hour hours how id ident if illegal imap in inactive
  inbox incoming incorrect input insufficient internal invalid ip is issue it its just keep key kept known language large
  last later leave left length less level lhlo limit limited line lines list listed local locked lock log logged login
  logout long lookup lost mail mailbox mails maildrop many maximum mbox mechanism mechanisms message messages minute minutes
  missing more mta must my name names need needed network never new next no none noop not nothing now number of off offer
  offers ok on one only open operation or other our out over own parameter parameters pass passwd password passwords path
  per permanent permission permitted pin please policy pop pop3 port postmaster private problem process program proceed
  prohibited protocol proxy public queue quit quota rate read ready reason received recipient refused reject rejected
  relay remote repeat reply request requested required reset response retr retry return right root rset running said sasl
  say second seconds secret secure security see send sender sent server servers service session sessions set short shutdown
  sign signed signing size small smtp so some soon sorry space spam ssl start started starting starttls stat state status
  stay still stls stop stopped storage store stored string subject success succeeded such support supported suspended
  syntax sys system temp temporarily temporary test text than that the their them then there they this time timeout
  times tls to today token tokens too top transaction transfer try trying tried two type uidl unable unavailable
  understood unexpected unknown until up use used user username users valid value verify version virus wait want warning
  was we web welcome were what when where which while who why will with within without word words work working write
  wrong yes yet you your`

/** Made at first use: most polls ask for none. */
let known: ReadonlySet<string> | null = null

/** Does `text`, in small letters, consist only of common words as in a sentence? Or is it a number such as a reply code or a
 *  port? */
export function isCommon(text: string): boolean {
  const words = (known ??= new Set(WORDS.trim().split(/\s+/)))
  return text
    .split(' ')
    .every((word) => words.has(word) || /^\d{1,5}$/.test(word) || /^\d\.\d{1,3}\.\d{1,3}$/.test(word))
}
