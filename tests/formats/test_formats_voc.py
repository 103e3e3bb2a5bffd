from checks import FormatChecks


class TestVoc(FormatChecks):
    format = "voc"
