<?php

declare(strict_types=1);

use Portal\Site;

require __DIR__ . '/../src/Site.php';

[$status, $text] = Site::fromSettings(__DIR__)->answer(
  $_SERVER['REQUEST_METHOD'],
  (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH),
  (string) file_get_contents('php://input', length: 65536),
);
http_response_code($status);
header('Content-Type: text/plain; charset=utf-8');
echo $text;
