// Sockets that outlive the program that answers on them, as systemd's socket units are: opened before the loop that starts
// the program, and inherited by each start. Between two starts the kernel keeps what arrives, and nobody is turned away.

export interface HeldSocket {
  readonly address: string
  readonly port: number
}

/** The first descriptor; a socket for UDP and one for TCP follow for each address. Shells use those below 10. */
const FIRST = 20

/**
 * Perl, because it is on every Debian, binds sockets and becomes another program without leaving anything behind: 15 is
 * IP_FREEBIND, for addresses that the program itself adds to the node.
 */
const script = [
  'use Socket; use POSIX ();',
  'my $fd = shift; my $count = shift; $^F = 255;',
  'for (1 .. $count) { my ($address, $port) = (shift, shift);',
  'for my $kind (SOCK_DGRAM, SOCK_STREAM) {',
  'socket(my $s, PF_INET, $kind, 0) or die "socket: $!";',
  'setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); setsockopt($s, 0, 15, 1);',
  'bind($s, pack_sockaddr_in($port, inet_aton($address))) or die "Cannot listen on $address port $port: $!";',
  'listen($s, 511) if $kind == SOCK_STREAM;',
  'POSIX::dup2(fileno($s), $fd++) or die "dup2: $!"; } }',
  'exec @ARGV or die "exec: $!"',
].join(' ')

/** What stands before the argv of a program that is to inherit the sockets; nothing for none. */
export function holding(sockets: readonly HeldSocket[]): readonly string[] {
  if (sockets.length === 0) return []
  const places = sockets.flatMap(({ address, port }) => [address, String(port)])
  return ['perl', '-e', script, String(FIRST), String(sockets.length), ...places]
}

/** For the program: `10.0.0.10:53=20,21` — descriptors for UDP and TCP — with blanks between addresses. */
export function describeHeld(sockets: readonly HeldSocket[]): string {
  return sockets
    .map(({ address, port }, index) => `${address}:${port}=${FIRST + 2 * index},${FIRST + 2 * index + 1}`)
    .join(' ')
}
