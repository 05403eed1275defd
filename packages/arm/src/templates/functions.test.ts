// Each function of the template language with values that Azure gives for them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArmError } from '@aksel/base/errors'
import { testFacts, templateWith } from './facts-for-test.ts'
import { outputsOf, prepare } from './prepared.ts'

function valueOf(expression: string, parts: object = {}): unknown {
  const template = templateWith({ outputs: { out: { type: 'object', value: `[${expression}]` } }, ...parts })
  const prepared = prepare(template, testFacts)
  return (outputsOf(prepared, () => undefined)['out'] as { readonly value: unknown }).value
}

const cases: readonly (readonly [string, unknown])[] = [
  // Hashes, with the vectors that are known of Azure.
  ["guid('foo', 'bar', 'baz')", '2ed86837-7c7c-5eaa-9864-dd077fd19b0d'],
  ["uniqueString('/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/myRg')", 'js26ofeqkqeve'],
  ["uniqueString('snap', 'crackle', 'pop')", 'byghxckddilkc'],
  ["uniqueString('asd', 'asdf', 'asdf')", 'iizpqit7ih3cc'],
  // Texts.
  ["format('{0}-{1}-{2}', 'a', 1, true())", 'a-1-True'],
  ["format('{0:D3}|{1,4}|{2,-4}|{{x}}|{3:N0}', 7, 'ab', 'cd', 1234567)", '007|  ab|cd  |{x}|1,234,567'],
  ["concat('a', 1, 'b')", 'a1b'],
  ['concat(createArray(1), createArray(2, 3))', [1, 2, 3]],
  ['padLeft(13, 5)', '   13'],
  ["padLeft('7', 3, '0')", '007'],
  ["replace('a-b-c', '-', '')", 'abc'],
  ["split('a,b;c', createArray(',', ';'))", ['a', 'b', 'c']],
  ["substring('abcdef', 2, 3)", 'cde'],
  ["toUpper(trim('  ab '))", 'AB'],
  ["startsWith('abc', 'AB')", true],
  ["endsWith('abc', 'bc')", true],
  ["indexOf('abcabc', 'C')", 2],
  ["lastIndexOf('abcabc', 'C')", 5],
  ["'it''s'", "it's"],
  ["join(createArray('abc', 123, true()), '/')", 'abc/123/True'],
  ["string(createObject('a', 1))", '{"a":1}'],
  // Encodings.
  ["base64ToString(base64('né'))", 'né'],
  ['base64ToJson(base64(\'{"a":1}\'))', { a: 1 }],
  ["json('[1,2]')", [1, 2]],
  ["uriComponent('a b*(c)')", 'a%20b%2A%28c%29'],
  ["uriComponentToString('a%20b')", 'a b'],
  ["uri('https://github.com', 'Azure/bicep')", 'https://github.com/Azure/bicep'],
  ["dataUriToString(dataUri('Hello'))", 'Hello'],
  // Numbers.
  ['add(2, mul(3, 4))', 14],
  ['sub(2, 5)', -3],
  ['div(-7, 2)', -3],
  ['mod(7, 3)', 1],
  ["int('42')", 42],
  ['max(1, 5, 3)', 5],
  ['min(createArray(4, 2, 9))', 2],
  // Arrays and objects.
  ['range(3, 4)', [3, 4, 5, 6]],
  ["length(createObject('a', 1, 'b', 2))", 2],
  ['empty(createArray())', true],
  ["first('xyz')", 'x'],
  ['last(createArray())', null],
  ['skip(createArray(1, 2, 3), 1)', [2, 3]],
  ["take('abcdef', 2)", 'ab'],
  ["contains(createObject('Name', 1), 'name')", true],
  ['union(createArray(1, 2), createArray(2, 3))', [1, 2, 3]],
  ["union(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2)))", { a: { x: 1, y: 2 } }],
  ['intersection(createArray(1, 2, 3), createArray(3, 2))', [2, 3]],
  ['flatten(createArray(createArray(1), createArray(2, createArray(3))))', [1, 2, [3]]],
  ["distinct(createArray('a', 'b', 'a'))", ['a', 'b']],
  [
    "items(createObject('b', 2, 'a', 1))",
    [
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ],
  ],
  ["objectKeys(createObject('b', 2, 'a', 1))", ['a', 'b']],
  ["tryGet(createObject('a', createArray(createObject('b', 7))), 'a', 0, 'b')", 7],
  ["tryGet(createObject('a', 1), 'x', 'y')", null],
  ["shallowMerge(createArray(createObject('a', 1), createObject('a', 2, 'b', 3)))", { a: 2, b: 3 }],
  ["createObject('a', createArray(1, 2)).A[1]", 2],
  ["createObject('a', 1).?b.?c", null],
  // Logic.
  ["if(false(), div(1, 0), 'lazy')", 'lazy'],
  ["and(false(), fail('never'))", false],
  ["or(true(), fail('never'))", true],
  ["equals(createObject('a', 1, 'b', 2), createObject('b', 2, 'a', 1))", true],
  ["equals('a', 'A')", false],
  ["less('a', 'b')", true],
  ['greaterOrEquals(3, 3)', true],
  ["coalesce(null(), null(), 'x')", 'x'],
  ["bool('TRUE')", true],
  // Lambdas.
  ["map(range(0, 3), lambda('n', mul(lambdaVariables('n'), 2)))", [0, 2, 4]],
  ["filter(createArray(5, 1, 4), lambda('n', greater(lambdaVariables('n'), 3)))", [5, 4]],
  ["reduce(createArray(1, 2, 3), 10, lambda('sum', 'n', add(lambdaVariables('sum'), lambdaVariables('n'))))", 16],
  ["sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))", [1, 2, 3]],
  [
    "toObject(createArray('a', 'b'), lambda('n', lambdaVariables('n')), lambda('n', toUpper(lambdaVariables('n'))))",
    { a: 'A', b: 'B' },
  ],
  ["groupBy(createArray('ab', 'ac', 'b'), lambda('n', first(lambdaVariables('n'))))", { a: ['ab', 'ac'], b: ['b'] }],
  ["mapValues(createObject('a', 1), lambda('n', add(lambdaVariables('n'), 1)))", { a: 2 }],
  // Times.
  ["dateTimeAdd(dateTimeFromEpoch(1680224438), 'P1D')", '2023-04-01T01:00:38Z'],
  ["dateTimeAdd('2024-01-31T00:00:00Z', 'P1M')", '2024-02-29T00:00:00Z'],
  ["dateTimeAdd('2024-01-01T00:00:00Z', '-PT90M', 'yyyy/MM/dd HH:mm')", '2023/12/31 22:30'],
  ["dateTimeToEpoch('2023-03-31T01:00:38Z')", 1680224438],
  // Networks.
  [
    "parseCidr('10.144.0.0/20')",
    {
      network: '10.144.0.0',
      netmask: '255.255.240.0',
      broadcast: '10.144.15.255',
      firstUsable: '10.144.0.1',
      lastUsable: '10.144.15.254',
      cidr: 20,
    },
  ],
  ["cidrSubnet('10.144.0.0/20', 24, 2)", '10.144.2.0/24'],
  ["cidrHost('10.144.3.0/24', 0)", '10.144.3.1'],
  ["cidrSubnet('fd00::/48', 64, 3)", 'fd00:0:0:3::/64'],
  // Scopes.
  [
    "resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 's')",
    '/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s',
  ],
  [
    "resourceId('other', 'Microsoft.Network/virtualNetworks', 'v')",
    '/subscriptions/s1/resourceGroups/other/providers/Microsoft.Network/virtualNetworks/v',
  ],
  [
    "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')",
    '/subscriptions/s1/providers/Microsoft.Authorization/roleDefinitions/r',
  ],
  [
    "tenantResourceId('Microsoft.Authorization/policyDefinitions', 'p')",
    '/providers/Microsoft.Authorization/policyDefinitions/p',
  ],
  [
    "extensionResourceId(resourceGroup().id, 'Microsoft.Authorization/locks', 'l')",
    '/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Authorization/locks/l',
  ],
  ['resourceGroup().location', 'eastus'],
  ["pickZones('Microsoft.Compute', 'virtualMachines', 'eastus', 2)", ['1', '2']],
]

test('functions give what Azure gives', () => {
  for (const [expression, wanted] of cases) assert.deepEqual(valueOf(expression), wanted, expression)
})

const refused: readonly (readonly [string, RegExp])[] = [
  ["nothing('a')", /The template function 'nothing' is not valid/],
  ["concat('a'", /Unable to parse language expression/],
  ["createObject('a', 1).b", /property 'b' doesn't exist, available properties are 'a'/],
  ['createArray(1)[3]', /array index '3' is out of bounds/],
  ["add(1, 'x')", /expects parameter 2 to be of type 'Integer'/],
  ["substring('abc', 2, 5)", /lie within the text/],
  ['toLower()', /requires 1 argument\(s\) while 0 were provided/],
  ['utcNow()', /may only be used in default values/],
  ["fail('on purpose')", /on purpose/],
  ["variables('none')", /The template variable 'none' is not found/],
  [`${'('.repeat(300)}`, /Unable to parse/],
]

test('what cannot be evaluated is told in Azure’s words', () => {
  for (const [expression, wanted] of refused) {
    assert.throws(
      () => valueOf(expression),
      (error) => error instanceof ArmError && error.code === 'InvalidTemplate' && wanted.test(error.message),
      expression,
    )
  }
})

test('parameters, variables, loops in them, and functions of the template’s own', () => {
  const parts = {
    parameters: {
      n: { type: 'int', defaultValue: 3 },
      when: { type: 'string', defaultValue: "[utcNow('yyyy-MM-dd')]" },
    },
    variables: {
      copy: [{ name: 'names', count: "[parameters('n')]", input: "[format('node-{0}', copyIndex('names', 1))]" }],
      nested: {
        copy: [{ name: 'rules', count: 2, input: { priority: "[add(100, copyIndex('rules'))]" } }],
        fixed: true,
      },
      bracket: '[[not an expression]',
    },
    functions: [
      {
        namespace: 'contoso',
        members: {
          greet: {
            parameters: [{ name: 'who', type: 'string' }],
            output: { type: 'string', value: "[concat('hello ', parameters('who'))]" },
          },
        },
      },
    ],
  }
  assert.deepEqual(valueOf("variables('names')", parts), ['node-1', 'node-2', 'node-3'])
  assert.deepEqual(valueOf("variables('nested')", parts), {
    rules: [{ priority: 100 }, { priority: 101 }],
    fixed: true,
  })
  assert.equal(valueOf("variables('bracket')", parts), '[not an expression]')
  assert.equal(valueOf("contoso.greet(parameters('when'))", parts), 'hello 2026-11-27')
})
