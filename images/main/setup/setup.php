<?php

// Answers with one of the control plane's templates (src/mailpod/model/web.py), and puts in what depends on the address
// that the client names. Whether there is such an account is not looked at, so nobody learns it here.

$documents = [
    '/setup' => ["setup.{$_SERVER['SETUP_LANGUAGE']}.html", 'text/html; charset=utf-8'],
    '/setup.mobileconfig' => ['profile.mobileconfig', 'application/x-apple-aspen-config'],
    '/autodiscover/autodiscover.xml' => ['autodiscover.xml', 'text/xml; charset=utf-8'],
];
$path = strtolower($_SERVER['DOCUMENT_URI']);
[$template, $type] = $documents[$path];

// [MS-OXDSCLI] section 2.2.3: Outlook's request is XML with the address in it.
if (preg_match('~<(?:\w+:)?EMailAddress>([^<]*)<~i', file_get_contents('php://input', length: 65536), $found)) {
    $asked = $found[1];
} else {
    $asked = $_GET['address'] ?? '';
}
// An address as an account has it, which needs no quoting in any of the documents.
$label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
$domain = preg_quote($_SERVER['MAIL_DOMAIN']);
$address = is_string($asked) ? strtolower(trim($asked)) : '';
if (!preg_match("/^(?:$label@|box@$label\\.)$domain$/D", $address)) {
    $address = '';
}

if ($address === '' && $path !== '/setup') {
    http_response_code(400);
    header('Content-Type: text/plain');
    exit("no address of an account here\n");
}
$id = preg_replace('/^(.{4})(.{4})(.{4})(.{12}).*/', '$1-$2-$3-$4', hash('sha256', $address));
$document = strtr(
    file_get_contents("/data/etc/tables/web/$template"),
    ['%EMAILADDRESS%' => $address, '%ADDRESS_ID%' => strtoupper($id)],
);

function code(string $url): string
{
    require_once 'Bacon/BaconQrCode/autoload.php';
    $renderer = new BaconQrCode\Renderer\ImageRenderer(
        new BaconQrCode\Renderer\RendererStyle\RendererStyle(240),
        new BaconQrCode\Renderer\Image\SvgImageBackEnd(),
    );
    // without the line that begins an XML document of its own
    return preg_replace('/^<\?xml.*?\?>\s*/', '', (new BaconQrCode\Writer($renderer))->writeString($url));
}

if ($path === '/setup') {
    header('Vary: Accept-Language');
    $draw = fn($found) => $address === '' ? '' : code($found[1]);
    $document = preg_replace_callback('/^%QR (.*)%$/m', $draw, $document);
} elseif ($path === '/setup.mobileconfig') {
    header("Content-Disposition: attachment; filename=\"$address.mobileconfig\"");
}
header("Content-Type: $type");
echo $document;
