// What the last lines of a container say about why it failed.

export interface LogCause {
  readonly id: string
  readonly cause: string
  readonly fix: string
  /** The line that says so. */
  readonly line: string
}

interface Pattern {
  readonly id: string
  readonly pattern: RegExp
  readonly cause: (match: RegExpMatchArray) => string
  readonly fix: (match: RegExpMatchArray) => string
}

/** More telling ones first: a refusal by RBAC is also a failed request. */
const patterns: readonly Pattern[] = [
  {
    id: 'access/forbidden',
    pattern:
      /User \\?"(system:serviceaccount:([\w.-]+):([\w.-]+)|[^"\\]+)\\?" cannot (\w+) resource \\?"([\w./-]+)\\?"(?: in API group \\?"([\w.-]*)\\?")?(?:.*in the namespace \\?"([\w.-]+)\\?")?/,
    cause: ([, user, , , verb, resource]) => `${user} may not ${verb} ${resource}.`,
    fix: ([, , ownNamespace, account, verb, resource, group, namespace]) => {
      const kind = group === undefined || group === '' ? resource! : `${resource}.${group}`
      if (account === undefined) return 'Give the user a role binding that allows it.'
      const name = `${account}-${verb}-${resource!.replaceAll(/[^a-z0-9-]/g, '-')}`
      return namespace === undefined
        ? `Allow it: kubectl create clusterrole ${name} --verb=${verb} --resource=${kind} && kubectl create clusterrolebinding ${name} --clusterrole=${name} --serviceaccount=${ownNamespace}:${account}`
        : `Allow it: kubectl create role ${name} -n ${namespace} --verb=${verb} --resource=${kind} && kubectl create rolebinding ${name} -n ${namespace} --role=${name} --serviceaccount=${ownNamespace}:${account}`
    },
  },
  {
    id: 'access/certificate-expired',
    pattern: /certificate (?:has |is )?(?:expired|not yet valid)|x509: certificate has expired|CERT_HAS_EXPIRED/i,
    cause: () => 'A certificate that it uses or meets is not valid at this time.',
    fix: () => 'Renew the certificate, and restart whoever reads it once.',
  },
  {
    id: 'access/untrusted-certificate',
    pattern:
      /x509: certificate signed by unknown authority|self.signed certificate|unable to get (?:local )?issuer certificate|unable to verify the first certificate|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/i,
    cause: () => 'It meets a certificate of an authority that it does not trust.',
    fix: () => 'Give the container the authority, or use a certificate of one that it knows.',
  },
  {
    id: 'network/name-not-found',
    pattern:
      /(?:lookup ([\w.-]+)(?: on [\w.:[\]]+)?: no such host|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ([\w.-]+)|(?:bad address|can't resolve|could not resolve host:?) '?([\w.-]+)|could not translate host name "([\w.-]+)")/i,
    cause: (match) =>
      `The name "${match.slice(1).find((name) => name !== undefined) ?? '?'}" leads nowhere: the service does not exist, or DNS cannot be asked.`,
    fix: () =>
      'Correct the host name (service.namespace), or create the service; if no name at all works, look for a policy that denies egress to DNS.',
  },
  {
    id: 'network/connection-refused',
    pattern: /(?:([\d.]+:\d+)[^\n]*connection refused|ECONNREFUSED ?([\d.]+:\d+)?|connection refused)/i,
    cause: (match) => {
      const place = match[1] ?? match[2]
      return `Nobody listens where it connects to${place === undefined ? '' : ` (${place})`}.`
    },
    fix: () => 'See whether the other side runs and listens on that port, and whether its service has endpoints.',
  },
  {
    id: 'network/connection-timed-out',
    pattern: /i\/o timeout|connection timed out|ETIMEDOUT|download timed out/i,
    cause: () => 'Its packets get no answer: a policy, a security group or a missing route drops them.',
    fix: () => 'Look for network policies on both sides, then for security groups and routes.',
  },
  {
    id: 'storage/volume-full',
    pattern: /no space left on device|ENOSPC|disk quota exceeded/i,
    cause: () => 'A volume or the disk that it writes to is full.',
    fix: () =>
      'Make room, or make the claim larger: kubectl patch pvc NAME -p \'{"spec":{"resources":{"requests":{"storage":"…"}}}}\'.',
  },
  {
    id: 'containers/missing-setting',
    pattern:
      /(?:environment variable|env(?:ironment)? var|setting) ["'`]?([A-Z][A-Z0-9_]+)["'`]?.*(?:not set|missing|required|undefined)|(?:missing|required)[^\n]*(?:environment variable|env var)[^A-Z\n]*([A-Z][A-Z0-9_]+)?|([A-Z][A-Z0-9_]+): (?:parameter not set|unbound variable)/,
    cause: (match) =>
      `It wants the environment variable ${match[1] ?? match[2] ?? match[3] ?? 'that it names'}, which is not set.`,
    fix: () => 'Set it: kubectl set env, or env in the pod template.',
  },
  {
    id: 'containers/command-not-found',
    pattern: /(?:^|: )(?:line \d+: )?([\w./-]+): (?:command )?not found/,
    cause: ([, command]) => `There is no program "${command}" in the image: a typo, or another image is needed.`,
    fix: () => 'Correct the command of the container.',
  },
  {
    id: 'containers/syntax-error',
    pattern: /syntax error|SyntaxError|unexpected (?:token|end of file)|unterminated/i,
    cause: () => 'The script that it runs cannot be read.',
    fix: () => 'Correct the command or the file it comes from.',
  },
  {
    id: 'containers/permission-denied',
    pattern: /permission denied|EACCES|Operation not permitted|EPERM|read-only file system|EROFS/i,
    cause: () =>
      'The system does not let it do what it wants: its user, capabilities or a read-only root stand against it.',
    fix: () => 'Compare runAsUser, fsGroup, capabilities and readOnlyRootFilesystem with what the program needs.',
  },
]

/** The most telling line, the last one of its kind; undefined where none is known. */
export function causeInLog(lines: readonly string[]): LogCause | undefined {
  for (const { id, pattern, cause, fix } of patterns) {
    const line = lines.findLast((each) => pattern.test(each))
    if (line === undefined) continue
    const match = pattern.exec(line)!
    return { id, cause: cause(match), fix: fix(match), line }
  }
  return undefined
}
