from checks import FormatChecks


class TestYolo(FormatChecks):
    format = "yolo"
    tolerance = 1e-6
