/** The mail server of the measurement: takes every mail, keeps the last one, and tells how many there were. */
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';

let mails = 0;
let last = Buffer.alloc(0);

const smtp = new SMTPServer({
  logger: false,
  disabledCommands: ['STARTTLS', 'AUTH'],
  onData(stream, _session, callback) {
    buffer(stream).then((raw) => {
      mails++;
      last = raw;
      callback();
    }, callback);
  },
});
smtp.on('error', () => undefined);
smtp.listen(Number(process.env.PORT), '127.0.0.1');

createServer((request, response) => {
  if (request.url === '/last') response.end(last);
  else response.end(JSON.stringify({ mails }));
}).listen(Number(process.env.HTTP_PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
