from checks import FormatChecks


class TestCoco(FormatChecks):
    format = "coco"
