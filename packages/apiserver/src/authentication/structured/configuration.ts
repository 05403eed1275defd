// Upstream's AuthenticationConfiguration (apiserver.config.k8s.io/v1): which issuers are believed, how their claims become
// a user, and where nobody in particular may go. Judged whole, with upstream's words; expressions are compiled here.

import type {
  AuthenticationConfiguration,
  JwtConfiguration,
  PrefixedMapping,
} from '@aksel/api/authentication-configuration'
import { duplicate, invalid, notSupported, required, type FieldError } from '@aksel/api/field-errors'
import { claimsProgram, mentionsClaim, userProgram, type OutputKind } from './expressions.ts'

const JWT_MAX = 64

/** A sentence each, for those who know no field errors. */
export function configurationFaults(configuration: AuthenticationConfiguration, ownIssuer: string): readonly string[] {
  return judgeConfiguration(configuration, ownIssuer).map(({ field, message }) => `${field}: ${message}`)
}

/** `ownIssuer`: of this cluster's service accounts, whose tokens nobody else may sign; undefined for no cluster in particular. */
export function judgeConfiguration(
  { jwt = [], anonymous }: AuthenticationConfiguration,
  ownIssuer: string | undefined,
): readonly FieldError[] {
  const errors: FieldError[] = []
  if (jwt.length > JWT_MAX)
    errors.push({
      reason: 'FieldValueTooMany',
      field: 'jwt',
      message: `Too many: ${jwt.length}: must have at most ${JWT_MAX} items`,
    })
  const [urls, discoveryUrls] = [new Set<string>(), new Set<string>()]
  for (const [index, each] of jwt.entries()) {
    const path = `jwt[${index}]`
    const { url, discoveryURL } = each.issuer
    errors.push(...judgeIssuer(each.issuer, `${path}.issuer`, ownIssuer))
    if (urls.has(url)) errors.push(duplicate(`${path}.issuer.url`, url))
    urls.add(url)
    if (discoveryURL !== undefined) {
      if (discoveryUrls.has(discoveryURL)) errors.push(duplicate(`${path}.issuer.discoveryURL`, discoveryURL))
      discoveryUrls.add(discoveryURL)
    }
    errors.push(
      ...judgeClaimRules(each, path),
      ...judgeMappings(each, `${path}.claimMappings`),
      ...judgeUserRules(each, path),
    )
  }
  for (const [index, { path }] of (anonymous?.conditions ?? []).entries()) {
    if (!path.startsWith('/'))
      errors.push(invalid(`anonymous.conditions[${index}].path`, path, 'path must start with /'))
  }
  if (anonymous?.enabled === false && (anonymous.conditions ?? []).length > 0)
    errors.push(
      invalid(
        'anonymous.conditions',
        anonymous.conditions,
        'enabled should be set to true when conditions are defined',
      ),
    )
  return errors
}

function judgeIssuer(
  issuer: JwtConfiguration['issuer'],
  path: string,
  ownIssuer: string | undefined,
): readonly FieldError[] {
  const {
    url,
    discoveryURL,
    certificateAuthority,
    audiences,
    audienceMatchPolicy = '',
    egressSelectorType = '',
  } = issuer
  const errors = [...judgeUrl(url, `${path}.url`, 'URL')]
  if (url === ownIssuer)
    errors.push(invalid(`${path}.url`, url, 'URL must not overlap with disallowed issuers: [' + ownIssuer + ']'))
  if (discoveryURL !== undefined && discoveryURL !== '') {
    errors.push(...judgeUrl(discoveryURL, `${path}.discoveryURL`, 'discoveryURL'))
    if (discoveryURL.replace(/\/$/, '') === url.replace(/\/$/, ''))
      errors.push(invalid(`${path}.discoveryURL`, discoveryURL, 'discoveryURL must be different from URL'))
  }
  if (audiences.length === 0) errors.push(required(`${path}.audiences`, `at least one ${path}.audiences is required`))
  const seen = new Set<string>()
  for (const [index, audience] of audiences.entries()) {
    if (audience === '') errors.push(required(`${path}.audiences[${index}]`, "audience can't be empty"))
    else if (seen.has(audience)) errors.push(duplicate(`${path}.audiences[${index}]`, audience))
    seen.add(audience)
  }
  if (audiences.length > 1 && audienceMatchPolicy !== 'MatchAny')
    errors.push(
      invalid(
        `${path}.audienceMatchPolicy`,
        audienceMatchPolicy,
        'audienceMatchPolicy must be MatchAny for multiple audiences',
      ),
    )
  if (audiences.length <= 1 && !['', 'MatchAny'].includes(audienceMatchPolicy))
    errors.push(
      invalid(
        `${path}.audienceMatchPolicy`,
        audienceMatchPolicy,
        'audienceMatchPolicy must be empty or MatchAny for single audience',
      ),
    )
  if (!['', 'controlplane'].includes(egressSelectorType))
    errors.push(notSupported(`${path}.egressSelectorType`, egressSelectorType, ['controlplane']))
  if (certificateAuthority !== undefined && !/-----BEGIN CERTIFICATE-----/.test(certificateAuthority))
    errors.push(
      invalid(`${path}.certificateAuthority`, '<omitted>', 'data does not contain any valid RSA or ECDSA certificates'),
    )
  return errors
}

function judgeUrl(text: string, path: string, name: 'URL' | 'discoveryURL'): readonly FieldError[] {
  if (text === undefined || text === '') return [required(path, `${name} is required`)]
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return [invalid(path, text, 'must be a valid URL')]
  }
  const faults: string[] = []
  if (url.protocol !== 'https:') faults.push(`${name} scheme must be https`)
  if (url.username !== '' || url.password !== '') faults.push(`${name} must not contain a username or password`)
  if (text.includes('?')) faults.push(`${name} must not contain a query`)
  if (text.includes('#')) faults.push(`${name} must not contain a fragment`)
  return faults.map((fault) => invalid(path, text, fault))
}

function judgeClaimRules({ claimValidationRules = [] }: JwtConfiguration, base: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const [claims, expressions] = [new Set<string>(), new Set<string>()]
  for (const [index, rule] of claimValidationRules.entries()) {
    const path = `${base}.claimValidationRules[${index}]`
    const { claim = '', expression = '', requiredValue = '', message = '' } = rule
    if (claim === '' && expression === '') errors.push(required(path, 'claim or expression is required'))
    else if (claim !== '' && expression !== '')
      errors.push(invalid(path, claim, "claim and expression can't both be set"))
    else if (claim !== '') {
      if (message !== '') errors.push(invalid(`${path}.message`, message, "message can't be set when claim is set"))
      if (claims.has(claim)) errors.push(duplicate(`${path}.claim`, claim))
      claims.add(claim)
    } else {
      if (requiredValue !== '')
        errors.push(
          invalid(`${path}.requiredValue`, requiredValue, "requiredValue can't be set when expression is set"),
        )
      if (expressions.has(expression)) errors.push(duplicate(`${path}.expression`, expression))
      expressions.add(expression)
      errors.push(...judgeExpression(claimsProgram, expression, `${path}.expression`, ['bool']))
    }
  }
  return errors
}

function judgeMappings(jwt: JwtConfiguration, path: string): readonly FieldError[] {
  const { username, groups = {}, uid = {}, extra = [] } = jwt.claimMappings
  const errors = [
    ...(username === undefined || ((username.claim ?? '') === '' && (username.expression ?? '') === '')
      ? [required(`${path}.username`, 'claim or expression is required')]
      : judgeMapping(username, `${path}.username`, ['string'])),
    ...judgeMapping(groups, `${path}.groups`, ['string', 'list']),
    ...judgeOne(uid, `${path}.uid`, ['string']),
  ]
  const rules = (jwt.claimValidationRules ?? []).map(({ expression = '' }) => expression)
  const email = username?.expression ?? ''
  if (mentionsClaim(email, 'email')) {
    const others = [email, ...extra.map(({ valueExpression }) => valueExpression), ...rules]
    if (!others.some((expression) => mentionsClaim(expression, 'email_verified')))
      errors.push(
        invalid(
          `${path}.username.expression`,
          email,
          'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression',
        ),
      )
  }
  const keys = new Set<string>()
  for (const [index, { key, valueExpression }] of extra.entries()) {
    const at = `${path}.extra[${index}]`
    errors.push(...judgeExtraKey(key, `${at}.key`))
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key))
    keys.add(key)
    if ((valueExpression ?? '') === '') errors.push(required(`${at}.valueExpression`, 'expression is required'))
    else errors.push(...judgeExpression(claimsProgram, valueExpression, `${at}.valueExpression`, ['string', 'list']))
  }
  return errors
}

function judgeMapping(mapping: PrefixedMapping, path: string, kinds: readonly OutputKind[]): readonly FieldError[] {
  const { claim = '', expression = '', prefix } = mapping
  const errors = [...judgeOne(mapping, path, kinds)]
  if (expression !== '' && prefix !== undefined)
    errors.push(invalid(`${path}.prefix`, prefix, "prefix can't be set when expression is set"))
  if (claim !== '' && prefix === undefined)
    errors.push(
      required(
        `${path}.prefix`,
        'prefix is required when claim is set. It can be set to an empty string to disable prefixing',
      ),
    )
  if (claim === '' && expression === '' && prefix !== undefined && prefix !== '')
    errors.push(invalid(`${path}.prefix`, prefix, "non-empty prefix isn't allowed unless claim is set"))
  return errors
}

function judgeOne(
  { claim = '', expression = '' }: { readonly claim?: string; readonly expression?: string },
  path: string,
  kinds: readonly OutputKind[],
): readonly FieldError[] {
  if (claim !== '' && expression !== '') return [invalid(path, '', "claim and expression can't both be set")]
  return expression === '' ? [] : judgeExpression(claimsProgram, expression, `${path}.expression`, kinds)
}

/** A path below a domain, in lower case: `example.com/team`. */
function judgeExtraKey(key: string, path: string): readonly FieldError[] {
  if ((key ?? '') === '') return [required(path, 'key is required')]
  const errors: FieldError[] = []
  const [domain = '', ...rest] = key.split('/')
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(domain) || rest.join('/') === '')
    errors.push(invalid(path, key, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  if (key !== key.toLowerCase()) errors.push(invalid(path, key, 'must be lowercase'))
  for (const reserved of ['k8s.io', 'kubernetes.io']) {
    if (domain === reserved || domain.endsWith(`.${reserved}`))
      errors.push(
        invalid(path, key, `${reserved}, *.${reserved} domains are reserved for use by the Kubernetes project`),
      )
  }
  return errors
}

function judgeUserRules({ userValidationRules = [] }: JwtConfiguration, base: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, { expression }] of userValidationRules.entries()) {
    const path = `${base}.userValidationRules[${index}].expression`
    if ((expression ?? '') === '') errors.push(required(path, 'expression is required'))
    else {
      if (seen.has(expression)) errors.push(duplicate(path, expression))
      seen.add(expression)
      errors.push(...judgeExpression(userProgram, expression, path, ['bool']))
    }
  }
  return errors
}

function judgeExpression(
  compiled: (expression: string, kinds: readonly OutputKind[]) => unknown,
  expression: string,
  path: string,
  kinds: readonly OutputKind[],
): readonly FieldError[] {
  try {
    compiled(expression, kinds)
    return []
  } catch (error) {
    return [invalid(path, expression, `compilation failed: ${(error as Error).message}`)]
  }
}
