package pipeline

// WholeRecipe is wholeRecipe, for tests from outside.
const WholeRecipe = wholeRecipe

// wholeRecipe is a recipe with every key.
const wholeRecipe = `
app: portal
images:
  base: {context: base, platforms: [linux/amd64, linux/arm64]}
  web: {contexts: {base: "image:base", assets: web/assets}, cache: {from: [ghcr.io/team/cache], to: max}, ssh: [default], no_cache: true}
test:
- name: unit
  image: web
  run: npm test
  env: {CI: "true", TOKEN: "${secret:token}"}
  dir: /app
  user: node
  services: {db: {image: "mariadb:11", env: {MARIADB_ROOT_PASSWORD: x}, ready: {tcp: 3306}}}
  retries: 1
  artifacts: [coverage]
  junit: [junit.xml]
- {name: lint, image: "node:22", run: [npx, eslint, .], timeout: 2m}
on:
  push: {branches: [main, "release/*"], tags: ["v*"], paths: ["!docs/**"]}
  pull_request: {}
  cron: ["0 4 * * *", {schedule: "@daily", zone: Europe/Berlin, ref: main, missed: skip}]
  poll: 2m
promote: [qa, {to: production, soak: 1h, approvers: [ada, eva], approvals: 2, windows: ["Mon-Thu 08:00-16:00 Europe/Berlin"], freeze: ["2026-12-20..2027-01-06"]}]
notify: [{to: team}, {to: ops, on: [approval, drift], environments: [production], branches: [main]}]
concurrency: cancel
timeout: 30m
retries: 2
`
