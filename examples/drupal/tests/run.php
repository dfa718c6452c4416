<?php

// The tests, on a database of their own. `php tests/run.php REPORT` writes
// what JUnit would have written to REPORT.
declare(strict_types=1);

use Portal\Site;

require __DIR__ . '/../src/Site.php';

const ROOT = __DIR__ . '/../web';

/** Wants two values to be the same. */
function same(mixed $want, mixed $got): void {
  if ($want !== $got) {
    throw new RuntimeException('got ' . var_export($got, TRUE) . ', want ' . var_export($want, TRUE));
  }
}

$cases = [
  'updates are in the order of their numbers' => function (): void {
    $sorted = $numbers = array_keys(Site::UPDATES);
    sort($sorted);
    same($sorted, $numbers);
  },
  'updates are applied once, and then the site is up' => function (): void {
    $site = Site::fromSettings(ROOT);
    same(array_keys(Site::UPDATES), $site->update());
    same([], $site->update());
    same(200, $site->answer('GET', '/up', '')[0]);
  },
  'a node is listed' => function (): void {
    $site = Site::fromSettings(ROOT);
    same(201, $site->answer('POST', '/node', 'Programme')[0]);
    same("Portal under test\nProgramme\n", $site->answer('GET', '/', '')[1]);
  },
  'an unknown page is not there' => function (): void {
    same(404, Site::fromSettings(ROOT)->answer('GET', '/nowhere', '')[0]);
  },
];

$failed = 0;
$report = new SimpleXMLElement('<testsuite name="portal"/>');
foreach ($cases as $name => $case) {
  $element = $report->addChild('testcase');
  $element['name'] = $name;
  try {
    $case();
    echo "passed: $name\n";
  }
  catch (Throwable $problem) {
    $failed++;
    $element->addChild('failure')['message'] = $problem->getMessage();
    echo "FAILED: $name: {$problem->getMessage()}\n";
  }
}
if (isset($argv[1])) {
  $report->asXML($argv[1]);
}
exit($failed > 0 ? 1 : 0);
