// JavaScript, and nothing new in it: an older Node has to be able to run it. The first import of every program.
const MIN_MAJOR = 26

if (Number(process.versions.node.split('.')[0]) < MIN_MAJOR) {
  process.stderr.write(
    `This needs Node ${MIN_MAJOR} or newer, and this is Node ${process.versions.node}: ` +
      'run "npm ci --ignore-scripts=false", which installs the right one, then use the npm scripts ("npm start", "npm run …").\n',
  )
  process.exit(1)
}
