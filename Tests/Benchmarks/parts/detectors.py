"""What the detectors cost a tensor and report, without anything around them."""

import subprocess

from measuring import Scale, executable
from table import Part, Promise


def measure(scale: Scale) -> Part:
    part = Part("Detectors alone, all rules on")
    command = [executable("DetectionBenchmark"), "--repetitions", str(scale.pick(9, 3))]
    command += ["--reports", str(scale.pick(4000, 1000))]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    words = output.split()
    fastest, median = float(words[2]), float(words[4])
    part.add("processor time a tensor-report", "ns", median, fastest, median, promise=Promise(300))
    part.add("state a tensor", "bytes", float(words[6]), promise=Promise(600))
    return part
