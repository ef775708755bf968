"""A staging in a Kubernetes cluster: Deployments or Argo Rollouts, with weights of the Gateway API."""
