// What failed between us and a webhook, in the words of Go's network stack and upstream's REST client.

interface NetworkError {
  readonly code?: string
  readonly message?: string
  readonly address?: string
  readonly port?: number
  readonly cert?: { readonly subjectaltname?: string }
}

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
])

/** `dial tcp 10.0.0.1:443: connect: connection refused` */
export function goNetworkError(error: unknown, address: URL): string {
  const { code = '', message = '', address: host, port, cert } = error as NetworkError
  const dialled = `dial tcp ${host ?? address.hostname}:${port ?? (address.port === '' ? '443' : address.port)}`
  if (untrusted.has(code)) {
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority'
  }
  switch (code) {
    case 'ECONNREFUSED':
      return `${dialled}: connect: connection refused`
    case 'EHOSTUNREACH':
      return `${dialled}: connect: no route to host`
    case 'ENETUNREACH':
      return `${dialled}: connect: network is unreachable`
    case 'ETIMEDOUT':
      return `${dialled}: i/o timeout`
    case 'ENOTFOUND':
      return `dial tcp: lookup ${address.hostname}: no such host`
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${address.hostname}: server misbehaving`
    case 'ECONNRESET':
      if (message === 'socket hang up') return 'EOF'
      // Node's word for an answer that broke off.
      return message === 'aborted' ? 'unexpected EOF' : 'read: connection reset by peer'
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: ${altNameComplaint(cert?.subjectaltname, address)}`
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return 'http: server gave HTTP response to HTTPS client'
    default:
      return message === '' ? String(error) : message
  }
}

function altNameComplaint(names: string | undefined, address: URL): string {
  const valid = (names ?? '').replaceAll(/(DNS|IP Address):/g, '')
  if (valid === '') return `x509: certificate is not valid for any names, but wanted to match ${address.hostname}`
  return `x509: certificate is valid for ${valid}, not ${address.hostname}`
}

const plainRefusals: Readonly<Record<number, string>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  409: 'the server reported a conflict',
  413: 'the request entity is too large',
  415: 'the body of the request was in an unknown format',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
}

const shownBytesMax = 2048

/** What a status that is no success means. */
export function serverRefusal(status: number, body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, shownBytesMax)).trim()
  const plain = plainRefusals[status]
  if (plain !== undefined) return plain
  if (status === 403) return text === '' ? 'forbidden' : `unknown: ${text}`
  if (status >= 500)
    return `an error on the server (${JSON.stringify(text === '' ? 'unknown' : text)}) has prevented the request from succeeding`
  return `the server responded with the status code ${status} but did not return more information`
}
