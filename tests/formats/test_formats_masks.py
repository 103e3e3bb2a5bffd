from checks import FormatChecks


class TestMasks(FormatChecks):
    format = "masks"
