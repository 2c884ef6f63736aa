"""The monitoring system: rules, dashboards, deployments and what generates them. Never installed."""
