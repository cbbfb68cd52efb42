/* Reads a capture with libpcap and does nothing with its packets: the least that any tool on libpcap takes. */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int count, char **words) {
    char error[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *header;
    const unsigned char *packet;
    unsigned long packets = 0;
    int next;
    if (count != 2) {
        fprintf(stderr, "usage: %s CAPTURE\n", words[0]);
        return 2;
    }
    pcap_t *capture = pcap_open_offline(words[1], error);
    if (!capture) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    while ((next = pcap_next_ex(capture, &header, &packet)) == 1)
        packets++;
    if (next != PCAP_ERROR_BREAK)
        fprintf(stderr, "%s\n", pcap_geterr(capture));
    printf("%lu\n", packets);
    pcap_close(capture);
    return next != PCAP_ERROR_BREAK;
}
