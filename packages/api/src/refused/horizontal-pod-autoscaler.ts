// What a HorizontalPodAutoscaler may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { nonNegative } from './words.ts'

export const horizontalPodAutoscalerExamples: RefusedExamples = {
  kind: 'HorizontalPodAutoscaler',
  valid: {
    metadata: { name: 'a' },
    spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' } },
  },
  create: [
    [{ 'spec.minReplicas': 5 }, 'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
    [
      { 'spec.metrics': [{ type: 'Pods' }] },
      'spec.metrics[0].pods: Required value: must populate information for the given metric source',
    ],
    [
      { 'spec.maxReplicas': 0, 'spec.minReplicas': 0 },
      [
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
      ],
    ],
    [{ 'spec.scaleTargetRef.name': '' }, 'spec.scaleTargetRef.name: Required value'],
    [{ 'spec.scaleTargetRef.kind': 'a/b' }, `spec.scaleTargetRef.kind: Invalid value: "a/b": may not contain '/'`],
    [
      { 'spec.metrics': [{ type: 'Disk' }] },
      'spec.metrics[0].type: Unsupported value: "Disk": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"',
    ],
    [{ 'spec.metrics': [{ type: '' }] }, 'spec.metrics[0].type: Required value: must specify a metric source type'],
    [
      {
        'spec.metrics': [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 0 } },
          },
        ],
      },
      'spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
    ],
    [
      {
        'spec.metrics': [{ type: 'Resource', resource: { name: '', target: { type: 'Utilization' } } }],
      },
      [
        'spec.metrics[0].resource.name: Required value: must specify a resource name',
        'spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
      ],
    ],
    [
      {
        'spec.metrics': [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50, averageValue: '1' } },
          },
        ],
      },
      'spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization',
    ],
    [
      {
        'spec.metrics': [{ type: 'Pods', pods: { metric: { name: 'm' }, target: { type: 'AverageValue' } } }],
      },
      'spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue',
    ],
    [
      {
        'spec.metrics': [{ type: 'External', external: { metric: { name: 'm' }, target: { type: 'Value' } } }],
      },
      'spec.metrics[0].external.target.averageValue: Required value: must set either a target value for metric or a per-pod target',
    ],
    [
      {
        'spec.metrics': [
          {
            type: 'Object',
            object: {
              metric: { name: '' },
              target: { type: 'Value', value: '-1' },
              describedObject: { kind: 'Ingress', name: 'i' },
            },
          },
        ],
      },
      [
        'spec.metrics[0].object.metric.name: Required value: must specify a metric name',
        'spec.metrics[0].object.target.value: Invalid value: "-1": must be positive',
      ],
    ],
    [
      {
        'spec.metrics': [
          {
            type: 'Pods',
            pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1' } },
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 1 } },
          },
        ],
      },
      'spec.metrics[0].resource: Forbidden: must populate the given metric source only',
    ],
    [
      { 'spec.behavior': { scaleUp: { stabilizationWindowSeconds: 3601 } } },
      'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be between 0 and 3600, inclusive',
    ],
    [
      { 'spec.behavior': { scaleDown: { selectPolicy: 'Mean' } } },
      'spec.behavior.scaleDown.selectPolicy: Unsupported value: "Mean": supported values: "Disabled", "Max", "Min"',
    ],
    [
      {
        'spec.behavior': {
          scaleUp: { policies: [{ type: 'Pods', value: 0, periodSeconds: 1801 }] },
        },
      },
      [
        'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than 0',
        'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be between 1 and 1800, inclusive',
      ],
    ],
  ],
  update: [
    [
      { 'spec.maxReplicas': 0 },
      [
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
        'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
      ],
    ],
  ],
  status: [
    [{ 'status.desiredReplicas': -1 }, `status.desiredReplicas: Invalid value: -1: ${nonNegative}`],
    [{ 'status.currentReplicas': -1 }, `status.currentReplicas: Invalid value: -1: ${nonNegative}`],
  ],
}
