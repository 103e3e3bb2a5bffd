from checks import FormatChecks


class TestCsv(FormatChecks):
    format = "csv"
