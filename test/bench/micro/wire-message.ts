// A message as a POP3 server sends it: CRLF line ends, lines of 72 bytes, one in fifty with a dot in front that was doubled.

export function wireMessage(sizeBytes: number): Buffer {
  let text = 'From: a@example.org\r\nTo: b@example.org\r\nSubject: a message\r\n\r\n'
  for (let line = 0; text.length < sizeBytes; line++)
    text += `${line % 50 === 0 ? '..' : 'ab'}${'text '.repeat(14)}\r\n`
  return Buffer.from(text)
}
