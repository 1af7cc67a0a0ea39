import GRPCNIOTransportHTTP2Posix
import ArgumentParser
@main struct Main { static func main() {} }
