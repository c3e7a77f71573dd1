<?php
// The smallest PHP app on Skypanel: no Composer, no Procfile; nginx and PHP-FPM serve this folder.
header('Content-Type: text/plain; charset=utf-8');
echo "Hello from php-hello\n";
