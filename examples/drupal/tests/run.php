<?php

// The tests that need no database.
declare(strict_types=1);

use Portal\Site;

require __DIR__ . '/../src/Site.php';

/** Says what is wrong, and ends. */
function check(bool $right, string $what): void {
  if (!$right) {
    fwrite(STDERR, "FAILED: $what\n");
    exit(1);
  }
}

check(extension_loaded('pdo_mysql'), 'PHP has pdo_mysql');
$numbers = array_keys(Site::UPDATES);
$sorted = $numbers;
sort($sorted);
check($numbers === $sorted, 'updates are in the order of their numbers');
foreach (Site::UPDATES as $number => $statement) {
  check(str_contains($statement, 'IF NOT EXISTS'), "update $number bears to be run twice");
}
putenv('DB_HOST=db.internal');
$databases = [];
require __DIR__ . '/../web/sites/default/settings.php';
check($databases['default']['default']['host'] === 'db.internal', 'the environment names the database');
echo "all is well\n";
